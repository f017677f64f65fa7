package events_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/events"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// tooLarge says that the event is at fault.
type tooLarge struct{ error }

func (tooLarge) Refused() bool { return true }

// An event that the sink refuses each time is tried less and less often, and the others leave at once.
func TestAnEventThatIsRefusedEachTimePausesAlone(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]error{
		"the sink says that the event is at fault": tooLarge{errors.New("too large")}, "the sink takes others": errors.New("refused"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store, log, tries := open(t), &bytes.Buffer{}, atomic.Int64{}
				to := &subscriber{refuse: func(e *wire.Event) error {
					if e.Subject != "s0" {
						return nil
					}
					tries.Add(1)
					return refused
				}}
				subjects := 2
				if errors.As(refused, new(tooLarge)) {
					subjects = 1
				}
				put(t, store, subjects, 1)
				f := events.New(events.Config{
					Name: record.SinkAMQP, Rows: store, Publisher: to, Holder: "one", Logger: slog.New(slog.NewTextHandler(log, nil)),
				})
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { f.Run(ctx) })
				time.Sleep(10 * time.Minute)
				assert.Less(t, tries.Load(), int64(30))
				assert.Greater(t, tries.Load(), int64(15), "it is still tried")
				before := len(to.ids())
				put(t, store, 4, 1)
				f.Stored()
				time.Sleep(100 * time.Millisecond)
				assert.Len(t, to.ids(), before+3, "the others do not wait")
				cancel()
				running.Wait()
				assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), "%s", log)
				assert.Contains(t, log.String(), "sink=amqp event=s0/1")
				require.Len(t, left(t, store), 1)
			})
		})
	}
}
