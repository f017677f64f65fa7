package server_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// A saga that becomes unreadable while its command is out holds a capped queue only until its worker answers. Until then, why
// names it to whom it holds up.
func TestTheAnswerToAnUnreadableSagaFreesItsPlace(t *testing.T) {
	t.Parallel()
	broker, prefix := env.Broker(t, "work")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: broker, AMQPPrefix: prefix, Migrate: true}
	family := newFamily(t, config)
	database, err := pgxpool.New(t.Context(), config.DatabaseURL)
	require.NoError(t, err)
	t.Cleanup(database.Close)
	f := damagedFamily{family, database}
	f.define("job", `{"steps": [{"name": "work", "command": "work.do", "timeout": "1h"}]}`)
	answers := workWhenTold(t, broker, prefix)
	one := 1
	_, err = f.SetQueue(t.Context(), "work", client.QueueSettings{MaxOut: &one})
	require.NoError(t, err)
	start := func() resource.Saga {
		started, err := f.Start(t.Context(), client.StartRequest{Definition: "job", Data: json.RawMessage(`{}`)})
		require.NoError(t, err)
		return started
	}
	first := start()
	for _, edit := range []string{
		`deadline_at = now() + interval '1 hour'`,
		`data = ('{"x":' || repeat('[', 9500) || repeat(']', 9500) || '}')::json`,
		`labels = '{"a":1}'`,
		`status = 'compensating'`,
	} {
		answer := <-answers
		f.exec(`update sagas set `+edit+` where id = $1`, first.ID)
		second := start()
		var why resource.Why
		require.Eventually(t, func() bool {
			why, err = f.Why(t.Context(), second.ID)
			require.NoError(t, err)
			return why.Cause == resource.CauseHeldBack
		}, patience, 10*time.Millisecond)
		assert.Contains(t, why.Message, "is of saga "+first.ID, edit)
		assert.Equal(t, []string{first.ID}, why.Evidence.Outbox.SagasOut)
		answer()
		answered := time.Now()
		answer = <-answers // the command of the second saga
		assert.Less(t, time.Since(answered), 10*time.Second, edit)
		answer()
		f.until(second.ID, func(s resource.Saga) bool { return s.Status == saga.Completed })
		first = start()
	}
}

// workWhenTold runs a worker until the test ends. It offers for each command what lets it succeed.
func workWhenTold(t *testing.T, brokerURL, prefix string) <-chan func() {
	t.Helper()
	offered := make(chan func())
	worker := steps.NewWorker("work", steps.Config{})
	steps.Handle(worker, "work.do", func(ctx context.Context, _ steps.Command[map[string]any]) (map[string]any, error) {
		told := make(chan struct{})
		select {
		case offered <- func() { close(told) }:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select {
		case <-told:
			return map[string]any{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { _ = worker.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: brokerURL, Prefix: prefix})) })
	t.Cleanup(func() { cancel(); working.Wait() })
	return offered
}
