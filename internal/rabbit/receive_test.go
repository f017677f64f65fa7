package rabbit_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// work runs a worker that answers every command of the queue payments.
func work(t *testing.T, config rabbit.Config, handle func(wire.Message) wire.Answer) (stop func()) {
	t.Helper()
	config.WorkerOnly = true
	b := start(t, config)
	return background(t, func(ctx context.Context) {
		assert.NoError(t, b.Receive(ctx, "payments", 8, handle))
	})
}

func done(wire.Message) wire.Answer {
	return wire.Answer{Settlement: wire.Replied, Reply: []byte(`{"status":"succeeded"}`)}
}

func TestAWorkerWaitsForItsQueue(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	work(t, config, done)
	b := connect(t, config, "payments")
	var replies inbox
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, replies.addAndAck) })
	publish(t, b, commands("payments", 10))
	messages, _ := replies.await(t, 10)
	assert.JSONEq(t, `{"status":"succeeded"}`, string(messages[0].Body))
	assert.NotEmpty(t, messages[0].CorrelationID)
	assert.Equal(t, config.Prefix+".replies", messages[0].Queue)
}

func TestEveryCommandIsAnsweredWhileConnectionsAreCut(t *testing.T) {
	t.Parallel()
	const count = 1000
	url, prefix := env.Broker(t, "payments")
	p, through := startProxy(t, url)
	config := rabbit.Config{URL: url, Prefix: prefix, DeliveryLimit: 1000}
	b := connect(t, config, "payments")
	var replies inbox
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, replies.addAndAck) })
	publish(t, b, commands("payments", count))
	var handled atomic.Int64
	work(t, rabbit.Config{URL: through, Prefix: prefix}, func(m wire.Message) wire.Answer {
		if n := handled.Add(1); n%200 == 50 && n < 600 {
			p.Cut()
		}
		return done(m)
	})
	require.Eventually(t, func() bool { return len(replies.ids()) == count }, patience, 20*time.Millisecond)
	require.Eventually(t, func() bool { return depth(t, b) == 0 }, patience, 20*time.Millisecond)
	came, _ := replies.all()
	t.Logf("%d commands, handled %d times, %d replies", count, handled.Load(), len(came))
}

func TestARejectedCommandBecomesADeadLetterWithItsOrigin(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	var dead inbox
	background(t, func(ctx context.Context) { b.ConsumeDead(ctx, dead.addAndAck) })
	work(t, config, func(wire.Message) wire.Answer { return wire.Answer{Settlement: wire.Rejected} })
	publish(t, b, commands("payments", 1))
	messages, _ := dead.await(t, 1)
	letter := messages[0]
	assert.Equal(t, config.Prefix+".dead", letter.Queue)
	assert.Equal(t, "saga-0/step/execute/1", letter.MessageID)
	deaths, ok := letter.Headers["x-death"].([]any)
	require.True(t, ok)
	death, ok := deaths[0].(map[string]any)
	require.True(t, ok)
	assert.Equal(t, config.Prefix+".commands.payments", death["queue"])
	assert.Equal(t, "rejected", death["reason"])
	assert.Equal(t, int64(1), death["count"])
	assert.IsType(t, "", death["time"])
}

func TestACommandRequeuedTooOftenBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	var dead inbox
	background(t, func(ctx context.Context) { b.ConsumeDead(ctx, dead.addAndAck) })
	var deliveries atomic.Int64
	work(t, config, func(wire.Message) wire.Answer {
		deliveries.Add(1)
		return wire.Answer{}
	})
	publish(t, b, commands("payments", 1))
	dead.await(t, 1)
	assert.Equal(t, int64(5), deliveries.Load())
}

func TestAStoppingWorkerAnswersRunningCommands(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	var replies inbox
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, replies.addAndAck) })
	begun, finish := make(chan struct{}), make(chan struct{})
	stop := work(t, config, func(m wire.Message) wire.Answer {
		close(begun)
		<-finish
		return done(m)
	})
	publish(t, b, commands("payments", 1))
	<-begun
	go close(finish)
	stop()
	replies.await(t, 1)
	require.Eventually(t, func() bool { return depth(t, b) == 0 }, patience, 20*time.Millisecond)
}

// A foreign client may ask for a reply to a queue that is gone, as a caller that was killed does.
func TestACommandWithoutAQueueForItsReplyHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	holdsUpNoOther(t, func(brokerURL, _ string) string { return brokerURL })
}

// What a worker learns from its first try must not decide how long it tries: the connection may have just been lost.
func TestALostConnectionDoesNotProlongTheTriesOfAReplyWithoutAQueue(t *testing.T) {
	t.Parallel()
	holdsUpNoOther(t, func(brokerURL, gone string) string {
		peer, through := startPeer(t, brokerURL)
		peer.Set(losingFirst(gone))
		return through
	})
}

// holdsUpNoOther lets a worker with room for one command, which reaches the broker through a way of the case, meet a
// command whose reply has no queue before one of the orchestrator's.
func holdsUpNoOther(t *testing.T, way func(brokerURL, gone string) string) {
	t.Helper()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	var replies inbox
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, replies.addAndAck) })
	gone := config.Prefix + ".gone"
	require.NoError(t, plainChannel(t, config.URL).PublishWithContext(t.Context(), config.Prefix+".commands", "payments", true, false,
		amqp.Publishing{MessageId: "lost/step/execute/1", CorrelationId: "lost/step/execute/1", ReplyTo: gone}))
	require.Eventually(t, func() bool { return depth(t, b) == 1 }, patience, 20*time.Millisecond)
	publish(t, b, commands("payments", 1))
	config.WorkerOnly, config.URL = true, way(config.URL, gone)
	worker := start(t, config)
	begun := time.Now()
	background(t, func(ctx context.Context) { assert.NoError(t, worker.Receive(ctx, "payments", 1, done)) })
	replies.await(t, 1)
	require.Less(t, time.Since(begun), 20*time.Second, "a reply to the orchestrator is tried for 30 s")
}
