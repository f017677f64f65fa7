package server_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// withFullQueue returns an orchestrator whose worker queue an operator has declared with room for one message, a foreign one.
func withFullQueue(t *testing.T, overflow string) (f family, worker *amqp.Channel, queue string) {
	t.Helper()
	url, prefix := env.Broker(t, "small")
	f = newFamily(t, server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true})
	worker, queue = channel(t, url), prefix+".commands.small"
	_, err := worker.QueueDeclare(queue, true, false, false, false, amqp.Table{
		"x-max-length": int64(1), "x-overflow": overflow, "x-dead-letter-exchange": prefix + ".dead",
	})
	require.NoError(t, err)
	require.NoError(t, worker.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{Body: []byte("foreign")}))
	f.define("bounded", `{"steps":[{"name":"a","command":"small.a","timeout":"1h","retry":{"max_attempts":2,"initial_interval":"1h"}}]}`)
	return f, worker, queue
}

// The queue refuses each publish with a negative confirm, and dead-letters the refused message as well. No worker has seen the
// command, so it waits in the outbox until there is room (rule 3).
func TestAFullQueueThatDeadLettersWhatItRefusesCostsNoAttempt(t *testing.T) {
	t.Parallel()
	f, worker, queue := withFullQueue(t, "reject-publish-dlx")
	started, err := f.Start(t.Context(), client.StartRequest{Definition: "bounded", Data: json.RawMessage(`{}`)})
	require.NoError(t, err)
	probes := make(map[time.Time]bool)
	require.Eventually(t, func() bool { // it is refused at the first publish and at two probes
		why, err := f.Why(t.Context(), started.ID)
		require.NoError(t, err)
		if outbox := why.Evidence.Outbox; outbox != nil && outbox.RetryAt != nil && why.Cause == resource.CauseRefusedByBroker {
			probes[outbox.RetryAt.Time] = true
		}
		return len(probes) >= 3
	}, time.Minute, 10*time.Millisecond)
	waiting, err := f.Saga(t.Context(), started.ID)
	require.NoError(t, err)
	require.Equal(t, saga.StepRunning, waiting.Steps[0].Status)
	require.Equal(t, started.Revision, waiting.Revision)

	_, had, err := worker.Get(queue, true)
	require.NoError(t, err)
	require.True(t, had)
	var arrived amqp.Delivery
	require.Eventually(t, func() bool {
		arrived, had, err = worker.Get(queue, true)
		require.NoError(t, err)
		return had
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, worker.PublishWithContext(t.Context(), "", arrived.ReplyTo, false, false, amqp.Publishing{
		CorrelationId: arrived.MessageId, ContentType: "application/json", Body: []byte(`{"status":"succeeded"}`),
	}))
	done := f.until(started.ID, func(s resource.Saga) bool { return s.Status == saga.Completed })
	require.Equal(t, 1, done.Steps[0].Attempts)
	letters, err := f.DeadLetters(t.Context(), client.Page{})
	require.NoError(t, err)
	for _, letter := range letters.Items {
		require.False(t, strings.HasPrefix(letter.CommandID, started.ID), "%s", &lazy{&letters})
	}
}

// The queue confirms a command and drops it for the next one: that command is lost, however soon after its confirm.
func TestAFullQueueThatDropsACommandLosesIt(t *testing.T) {
	t.Parallel()
	f, worker, queue := withFullQueue(t, "drop-head")
	started, err := f.Start(t.Context(), client.StartRequest{Definition: "bounded", Data: json.RawMessage(`{}`)})
	require.NoError(t, err)
	f.until(started.ID, func(s resource.Saga) bool {
		require.NoError(t, worker.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{Body: []byte("foreign")}))
		return s.Steps[0].Status == saga.StepRetrying
	})
}
