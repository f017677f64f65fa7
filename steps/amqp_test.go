package steps_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// orchestrator connects the orchestrator's side of RabbitMQ.
func orchestrator(t *testing.T) (b *rabbit.Broker, url, prefix string) {
	t.Helper()
	url, prefix = env.Broker(t, "payments", "inventory")
	b = rabbit.Connect(rabbit.Config{URL: url, Prefix: prefix, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	t.Cleanup(func() { assert.NoError(t, b.Close(context.Background())) })
	require.Eventually(t, func() bool { return b.Ready() == nil }, patience, 10*time.Millisecond)
	require.NoError(t, b.DeclareQueues(t.Context(), []string{"payments"}))
	return b, url, prefix
}

func TestAWorkerServesAQueueOfRabbitMQ(t *testing.T) {
	t.Parallel()
	const count = 200
	b, url, prefix := orchestrator(t)
	w := steps.NewWorker("payments", steps.Config{})
	var calls atomic.Int64
	steps.Handle(w, "payments.charge", func(_ context.Context, cmd steps.Command[chargeInput]) (chargeOutput, error) {
		calls.Add(1)
		return chargeOutput{ChargeID: cmd.SagaID}, nil
	})
	background(t, func(ctx context.Context) {
		assert.NoError(t, w.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: url, Prefix: prefix})))
	})
	replies := make(chan wire.Message, count)
	background(t, func(ctx context.Context) {
		b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
			settle(true)
			replies <- m
		})
	})
	var all []wire.Command
	for i := range count {
		c := charge(1)
		c.ID.Saga = fmt.Sprintf("saga-%d", i)
		all = append(all, c)
	}
	for _, receipt := range env.Receipts(t.Context(), b.Publish, all) {
		require.Equal(t, wire.Confirmed, receipt.Outcome, receipt.Reason)
	}
	for range count {
		m := <-replies
		reply, err := wire.DecodeReply(m.CorrelationID, m.Body)
		require.NoError(t, err)
		assert.JSONEq(t, fmt.Sprintf(`{"chargeId":%q}`, reply.Command.Saga), string(reply.Output))
	}
	assert.Equal(t, int64(count), calls.Load())
}

// A worker needs only what every AMQP client has: get a message, publish to its reply_to, acknowledge.
func TestAWorkerNeedsOnlyAnAMQPClient(t *testing.T) {
	t.Parallel()
	b, url, prefix := orchestrator(t)
	sent := charge(1)
	require.Equal(t, wire.Confirmed, env.Receipts(t.Context(), b.Publish, []wire.Command{sent})[0].Outcome)
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	defer conn.Close()
	channel, err := conn.Channel()
	require.NoError(t, err)
	m, ok, err := channel.Get(prefix+".commands.payments", false)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, channel.Publish("", m.ReplyTo, false, false, amqp.Publishing{
		CorrelationId: m.CorrelationId, Body: []byte(`{"status": "succeeded", "output": {"chargeId": "c-1"}}`),
	}))
	require.NoError(t, m.Ack(false))
	got := make(chan wire.Message, 1)
	background(t, func(ctx context.Context) {
		b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
			settle(true)
			got <- m
		})
	})
	answer := <-got
	reply, err := wire.DecodeReply(answer.CorrelationID, answer.Body)
	require.NoError(t, err)
	assert.Equal(t, sent.ID, reply.Command)
	assert.Equal(t, saga.Execute, reply.Command.Direction)
	assert.True(t, reply.Succeeded)
}

func TestWorkersOfOneTransportShareItsConnections(t *testing.T) {
	t.Parallel()
	b, url, prefix := orchestrator(t)
	require.NoError(t, b.DeclareQueues(t.Context(), []string{"payments", "inventory"}))
	through, url, err := proxy.Start(url)
	require.NoError(t, err)
	t.Cleanup(through.Close)
	transport := steps.AMQP(steps.AMQPConfig{URL: url, Prefix: prefix})
	work := func(queue string) (stop func()) {
		w := steps.NewWorker(queue, steps.Config{})
		steps.Handle(w, "payments.charge", func(context.Context, steps.Command[chargeInput]) (steps.None, error) {
			return steps.None{}, nil
		})
		return background(t, func(ctx context.Context) { assert.NoError(t, w.Run(ctx, transport)) })
	}
	replies := make(chan wire.Message)
	background(t, func(ctx context.Context) {
		b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
			settle(true)
			replies <- m
		})
	})
	works := func(queue string) {
		c := charge(1)
		c.Queue = queue
		require.Equal(t, wire.Confirmed, env.Receipts(t.Context(), b.Publish, []wire.Command{c})[0].Outcome)
		<-replies
	}
	connections := func(want int, when string) {
		require.Eventually(t, func() bool { return through.Connections() == want }, patience, time.Millisecond, when)
	}

	endPayments, endInventory := work("payments"), work("inventory")
	works("payments")
	works("inventory")
	connections(2, "one to take commands and one to reply, for both workers")
	endPayments()
	works("inventory")
	connections(2, "one worker still runs")
	endInventory()
	connections(0, "no worker runs")
	work("payments")
	works("payments")
}

func TestAURLThatCanNeverWorkFailsAtOnce(t *testing.T) {
	t.Parallel()
	err := steps.NewWorker("payments", steps.Config{}).Run(t.Context(), steps.AMQP(steps.AMQPConfig{URL: "http://user:secret@host"}))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
}
