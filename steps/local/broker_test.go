package local_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

var _ steps.Transport = local.New()

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

func command(number int, priority uint8) wire.Command {
	return wire.Command{
		ID:         saga.CommandID{Saga: fmt.Sprintf("saga-%d", number), Step: "step", Direction: saga.Execute, Round: 1, Attempt: 1},
		Definition: "order", Version: 1, Name: "payments.charge", Queue: "payments", Priority: priority,
		Timeout: time.Minute, Body: []byte(`{"data":{}}`),
	}
}

func declared(t *testing.T) *local.Broker {
	t.Helper()
	b := local.New()
	require.NoError(t, b.DeclareQueues(t.Context(), []string{"payments"}))
	require.NoError(t, b.Ready())
	return b
}

func publish(t *testing.T, b *local.Broker, commands ...wire.Command) {
	t.Helper()
	for _, receipt := range env.Receipts(t.Context(), b.Publish, commands) {
		require.Equal(t, wire.Confirmed, receipt.Outcome)
	}
}

// background runs a function until stop is called or the test ends.
func background(t *testing.T, run func(ctx context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { run(ctx) })
	stop = func() {
		cancel()
		work.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func receive(t *testing.T, b *local.Broker, limit int, handle func(wire.Message) wire.Answer) (stop func()) {
	t.Helper()
	return background(t, func(ctx context.Context) { assert.NoError(t, b.Receive(ctx, "payments", limit, handle)) })
}

func TestACommandForAnUndeclaredQueueIsReturned(t *testing.T) {
	t.Parallel()
	b := local.New()
	stop := receive(t, b, 1, func(wire.Message) wire.Answer { return wire.Answer{Settlement: wire.Dropped} })
	receipt := env.Receipts(t.Context(), b.Publish, []wire.Command{command(1, 0)})[0]
	assert.Equal(t, wire.Returned, receipt.Outcome, "a consumer does not create the queue")
	assert.Contains(t, receipt.Reason, "payments")
	require.NoError(t, b.DeclareQueues(t.Context(), []string{"payments"}))
	publish(t, b, command(1, 0))
	want := map[string]wire.QueueState{"payments": {Exists: true, Consumers: 1}, "other": {}}
	require.Eventually(t, func() bool {
		states, err := b.Inspect(t.Context(), []string{"payments", "other"})
		return err == nil && assert.ObjectsAreEqual(want, states)
	}, patience, time.Millisecond)
	stop()
}

func TestUrgentCommandsComeFirstAndEqualOnesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b := declared(t)
	publish(t, b, command(1, 0), command(2, 5), command(3, 0), command(4, 9), command(5, 5))
	got := make(chan string, 5)
	receive(t, b, 1, func(m wire.Message) wire.Answer {
		got <- m.MessageID
		return wire.Answer{Settlement: wire.Dropped}
	})
	for _, want := range []int{4, 2, 5, 1, 3} {
		assert.Equal(t, fmt.Sprintf("saga-%d/step/execute/1", want), <-got)
	}
}

func TestMessagesAreThoseOfRabbitMQ(t *testing.T) {
	t.Parallel()
	b := declared(t)
	sent := command(1, 0)
	publish(t, b, sent)
	sent.Body[0] = 'X' // the sender may change its bytes later
	got := make(chan wire.Message, 1)
	receive(t, b, 1, func(m wire.Message) wire.Answer {
		got <- m
		return wire.Answer{Settlement: wire.Replied, Reply: []byte(`{"status":"succeeded"}`)}
	})
	m := <-got
	assert.Equal(t, "saga.commands.payments", m.Queue)
	assert.Equal(t, "saga.replies", m.ReplyTo)
	assert.Equal(t, "saga-1/step/execute", m.Headers[wire.HeaderIdempotencyKey])
	received, err := wire.DecodeCommand(m)
	require.NoError(t, err)
	assert.Equal(t, sent.ID, received.ID)

	replies := make(chan wire.Message, 1)
	background(t, func(ctx context.Context) {
		b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
			settle(true)
			replies <- m
		})
	})
	reply := <-replies
	assert.Equal(t, "saga.replies", reply.Queue)
	assert.Equal(t, sent.ID.String(), reply.CorrelationID)
	assert.Equal(t, wire.ContentType, reply.ContentType)
}

func TestAnUnsettledCommandIsDeliveredAgainUntilItIsADeadLetter(t *testing.T) {
	t.Parallel()
	b := declared(t)
	deliveries := make(chan bool, 100)
	receive(t, b, 1, func(m wire.Message) wire.Answer {
		deliveries <- m.Redelivered
		return wire.Answer{}
	})
	letters := make(chan wire.Message, 1)
	background(t, func(ctx context.Context) {
		b.ConsumeDead(ctx, func(m wire.Message, settle func(bool)) {
			settle(true)
			letters <- m
		})
	})
	publish(t, b, command(1, 0))
	letter := <-letters
	assert.Equal(t, "saga.dead", letter.Queue)
	assert.Equal(t, "saga-1/step/execute/1", letter.MessageID)
	assert.Len(t, deliveries, 5, "the first, and four more")
	assert.False(t, <-deliveries)
	assert.True(t, <-deliveries)
	deaths, ok := letter.Headers["x-death"].([]any)
	require.True(t, ok)
	death, ok := deaths[0].(map[string]any)
	require.True(t, ok)
	assert.Equal(t, "delivery_limit", death["reason"])
	assert.Equal(t, "saga.commands.payments", death["queue"])
}

func TestUnsettledRepliesAreDeliveredAgain(t *testing.T) {
	t.Parallel()
	b := declared(t)
	publish(t, b, command(1, 0), command(2, 0), command(3, 0))
	receive(t, b, 1, func(wire.Message) wire.Answer {
		return wire.Answer{Settlement: wire.Replied, Reply: []byte(`{"status":"succeeded"}`)}
	})
	settles := make(chan func(bool), 10)
	stop := background(t, func(ctx context.Context) {
		b.ConsumeReplies(ctx, func(_ wire.Message, settle func(bool)) { settles <- settle })
	})
	(<-settles)(true)
	second := <-settles
	second(false)
	second(true) // the first call counts
	third := <-settles
	again := <-settles
	go again(true)
	go third(true)
	stop() // waits for running calls

	left := make(chan wire.Message, 10)
	background(t, func(ctx context.Context) {
		b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
			settle(true)
			left <- m
		})
	})
	publish(t, b, command(4, 0))
	assert.Equal(t, "saga-4/step/execute/1", (<-left).CorrelationID, "all before it were settled")
}

func TestNoCommandIsLostWhenWorkersComeAndGo(t *testing.T) {
	t.Parallel()
	const count = 500
	b := declared(t)
	var mu sync.Mutex
	done := make(map[string]bool)
	for n := range count {
		publish(t, b, command(n, uint8(n%3)))
	}
	for round := range 10 {
		stop := receive(t, b, 4, func(m wire.Message) wire.Answer {
			if !m.Redelivered {
				return wire.Answer{} // returned to the queue
			}
			mu.Lock()
			defer mu.Unlock()
			done[m.MessageID] = true
			return wire.Answer{Settlement: wire.Dropped}
		})
		if round < 9 {
			stop()
		}
	}
	require.Eventually(t, func() bool {
		states, err := b.Inspect(t.Context(), []string{"payments"})
		mu.Lock()
		defer mu.Unlock()
		return err == nil && states["payments"].Depth == 0 && len(done) == count
	}, patience, time.Millisecond)
}
