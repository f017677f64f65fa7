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
	f, start := cappedJobs(t, config)
	answers := workWhenTold(t, broker, prefix)
	first := start()
	for _, edit := range []string{
		`deadline_at = now() + interval '1 minute'`,
		`data = ('{"x":' || repeat('[', 9500) || repeat(']', 9500) || '}')::json`,
		`labels = '{"a":1}'`,
		`status = 'compensating'`,
	} {
		answer := next(t, answers)
		f.exec(`update sagas set `+edit+` where id = $1`, first.ID)
		broken, err := f.Saga(t.Context(), first.ID)
		require.NoError(t, err)
		require.NotEmpty(t, broken.Unreadable, edit)
		second := start()
		var why resource.Why
		require.Eventually(t, func() bool {
			var err error
			why, err = f.Why(t.Context(), second.ID)
			require.NoError(t, err)
			return why.Cause == resource.CauseHeldBack
		}, patience, 10*time.Millisecond)
		assert.Contains(t, why.Message, "is of saga "+first.ID, edit)
		assert.Equal(t, []string{first.ID}, why.Evidence.Outbox.SagasOut)
		answer()
		answered := time.Now()
		answer = next(t, answers) // the command of the second saga
		assert.Less(t, time.Since(answered), 10*time.Second, edit)
		answer()
		f.until(second.ID, func(s resource.Saga) bool { return s.Status == saga.Completed })
		first = start()
	}
}

// So does a command that its worker rejected, which the broker dead-letters.
func TestTheRejectionForAnUnreadableSagaFreesItsPlace(t *testing.T) {
	t.Parallel()
	broker, prefix := env.Broker(t, "work")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: broker, AMQPPrefix: prefix, Migrate: true}
	f, start := cappedJobs(t, config)
	commands, err := channel(t, broker).ConsumeWithContext(t.Context(), prefix+".commands.work", "", false, false, false, false, nil)
	require.NoError(t, err)
	first := start()
	command := next(t, commands)
	f.exec(`update sagas set deadline_at = now() + interval '1 minute' where id = $1`, first.ID)
	second := start()
	f.until(second.ID, func(s resource.Saga) bool { return s.Steps[0].Status == saga.StepRunning })
	broken, err := f.Saga(t.Context(), first.ID)
	require.NoError(t, err)
	require.NotEmpty(t, broken.Unreadable)
	require.NoError(t, command.Nack(false, false))
	rejected := time.Now()
	command = next(t, commands)
	assert.Less(t, time.Since(rejected), 10*time.Second)
	assert.Equal(t, second.ID+"/run/execute/1", command.MessageId)
	queues, err := f.Queues(t.Context())
	require.NoError(t, err)
	for _, queue := range queues.Items {
		if queue.Name == "work" {
			assert.EqualValues(t, 1, *queue.CommandsOut, "that of the second saga")
			assert.False(t, queue.Oldest.Before(second.CreatedAt.Time))
		}
	}
}

// cappedJobs returns an orchestrator with a queue that lets one command out, and a function that starts a saga which sends one.
func cappedJobs(t *testing.T, config server.Config) (f damagedFamily, start func() resource.Saga) {
	t.Helper()
	family := newFamily(t, config)
	database, err := pgxpool.New(t.Context(), config.DatabaseURL)
	require.NoError(t, err)
	t.Cleanup(database.Close)
	f = damagedFamily{family, database}
	f.define("job", `{"steps": [{"name": "run", "command": "work.do", "timeout": "1h"}]}`)
	one := 1
	_, err = f.SetQueue(t.Context(), "work", client.QueueSettings{MaxOut: &one})
	require.NoError(t, err)
	return f, func() resource.Saga {
		started, err := f.Start(t.Context(), client.StartRequest{Definition: "job", Data: json.RawMessage(`{}`)})
		require.NoError(t, err)
		return started
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

// next returns what comes next.
func next[T any](t *testing.T, from <-chan T) (came T) {
	t.Helper()
	select {
	case came = <-from:
	case <-time.After(patience):
		require.Fail(t, "nothing came")
	}
	return came
}
