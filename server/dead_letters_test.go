package server_test

import (
	"encoding/json"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// connected returns an orchestrator that declares the queues of a definition before it has answered.
func connected(t *testing.T, config server.Config) family {
	t.Helper()
	s := embedded(t, config)
	ready(t, s)
	return family{t, client.New(client.Config{Server: s.URL()})}
}

// Point 5 of docs/protocol.md: a worker in any language publishes what it cannot handle to the queue of dead letters, with or
// without the headers that name its queue.
func TestADeadLetterThatAWorkerPublishesIsOfItsQueue(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string]amqp.Table{
		"without headers": nil,
		"with headers":    {"x-first-death-reason": "rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, prefix := env.Broker(t, "work")
			f := connected(t, server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true})
			f.define("odd", `{"steps":[{"name":"a","command":"work.a","timeout":"1h","retry":{"initial_interval":"1h","max_interval":"1h"}}]}`)
			started, err := f.Start(t.Context(), client.StartRequest{Definition: "odd", Data: json.RawMessage(`{}`)})
			require.NoError(t, err)
			broker := channel(t, url)
			var command amqp.Delivery
			require.Eventually(t, func() (had bool) {
				command, had, err = broker.Get(prefix+".commands.work", false)
				require.NoError(t, err)
				return had
			}, time.Minute, 10*time.Millisecond)
			if headers != nil {
				headers["x-first-death-queue"] = prefix + ".commands.work"
			}
			require.NoError(t, broker.PublishWithContext(t.Context(), "", prefix+".dead", true, false, amqp.Publishing{
				MessageId: command.MessageId, CorrelationId: command.CorrelationId, Headers: headers, Body: command.Body,
			}))
			require.NoError(t, command.Ack(false))
			var id string
			require.Eventually(t, func() bool {
				found, err := f.FindDeadLetters(t.Context(), client.DeadLetterFilter{Queue: new("work")}, client.Page{})
				require.NoError(t, err)
				for _, letter := range found.Items {
					id = letter.ID
					require.Equal(t, started.ID, letter.SagaID)
					require.Equal(t, "work", letter.Queue)
				}
				return id != ""
			}, time.Minute, 10*time.Millisecond, "no dead letter of the worker queue")
			redriven, err := f.Redrive(t.Context(), id, "mended")
			require.NoError(t, err)
			require.Equal(t, "work", redriven.RedrivenTo)
			require.Eventually(t, func() bool {
				again, had, err := broker.Get(prefix+".commands.work", true)
				require.NoError(t, err)
				return had && again.MessageId == command.MessageId
			}, time.Minute, 10*time.Millisecond)
		})
	}
}

// The broker takes a command from a worker that outlives its consumer timeout, until the delivery limit. The worker may still reply.
func TestWhyPointsToTheDeadLetterOfACommandThatIsStillOut(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	f := connected(t, server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true})
	f.define("long", `{"steps":[{"name":"a","command":"work.a","timeout":"12h"}]}`)
	started, err := f.Start(t.Context(), client.StartRequest{Definition: "long", Data: json.RawMessage(`{}`)})
	require.NoError(t, err)
	broker := channel(t, url)
	_, err = broker.Consume(prefix+".commands.work", "", false, false, false, false, nil) // the worker
	require.NoError(t, err)
	require.NoError(t, broker.PublishWithContext(t.Context(), "", prefix+".dead", true, false, amqp.Publishing{
		MessageId: started.ID + "/a/execute/1", Timestamp: time.Now().Add(-150 * time.Minute), Body: []byte(`{"data":{}}`),
		Headers: amqp.Table{"x-first-death-queue": prefix + ".commands.work", "x-first-death-reason": "delivery_limit"},
	}))
	var why resource.Why
	require.Eventually(t, func() bool {
		why, err = f.Why(t.Context(), started.ID)
		require.NoError(t, err)
		return why.Cause == resource.CauseWaitingForWorker && why.Evidence.Letter != nil
	}, time.Minute, 20*time.Millisecond, "%s", &lazy{&why})
	require.Contains(t, why.Message, why.Evidence.Letter.ID)
	require.Contains(t, why.Message, "consumer_timeout")
	letters, err := f.DeadLetters(t.Context(), client.Page{})
	require.NoError(t, err)
	require.Len(t, letters.Items, 1)
	require.Equal(t, letters.Items[0].ID, why.Evidence.Letter.ID)

	_, err = f.Redrive(t.Context(), why.Evidence.Letter.ID, "")
	require.NoError(t, err)
	why, err = f.Why(t.Context(), started.ID)
	require.NoError(t, err)
	require.Nil(t, why.Evidence.Letter)
}
