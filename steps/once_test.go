package steps

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// A broker that no longer waits for an acknowledgement delivers the command again while its handler runs.
func TestACommandDeliveredAgainWhileItRunsDoesNotRunTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := NewWorker("payments", Config{Concurrency: 4, Logger: slog.New(slog.DiscardHandler)})
		runs, release := make(chan string, 10), make(chan struct{})
		Handle(w, "payments.charge", func(_ context.Context, c Command[None]) (map[string]int, error) {
			runs <- c.ID
			<-release
			return map[string]int{"charge": 7}, nil
		})
		deliver := func(ctx context.Context, attempt int) wire.Answer {
			id := saga.CommandID{Saga: "s", Step: "charge", Direction: saga.Execute, Round: 1, Attempt: attempt}
			command := wire.Command{ID: id, Name: "payments.charge", Timeout: time.Hour, Body: json.RawMessage(`{"data":{}}`)}
			return w.answer(ctx, command.Message("saga.replies", time.Now()), alone)
		}
		answers := make(chan wire.Answer, 4)
		var deliveries sync.WaitGroup
		for _, attempt := range []int{1, 1, 1, 2} {
			deliveries.Go(func() { answers <- deliver(t.Context(), attempt) })
		}
		synctest.Wait()
		require.Len(t, runs, 2, "one of each command")
		ended, end := context.WithCancel(t.Context())
		end()
		require.Equal(t, wire.Requeued, deliver(ended, 1).Settlement, "a stopping worker does not wait")
		close(release)
		deliveries.Wait()
		for range 4 {
			require.JSONEq(t, `{"status":"succeeded","output":{"charge":7}}`, string((<-answers).Reply), "every delivery gets the answer")
		}
		deliver(t.Context(), 1)
		require.Len(t, runs, 3, "after the first run has ended, it runs again")
	})
}
