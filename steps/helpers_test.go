package steps_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const patience = 30 * time.Second

// bench plays the orchestrator for one worker: it sends commands to the queue payments and collects the replies.
type bench struct {
	t      *testing.T
	broker *local.Broker

	mu      sync.Mutex
	replies []wire.Message
	dead    []wire.Message
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, broker: local.New()}
	require.NoError(t, b.broker.DeclareQueues(t.Context(), []string{"payments"}))
	background(t, func(ctx context.Context) {
		b.broker.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) { b.keep(&b.replies, m, settle) })
	})
	background(t, func(ctx context.Context) {
		b.broker.ConsumeDead(ctx, func(m wire.Message, settle func(bool)) { b.keep(&b.dead, m, settle) })
	})
	return b
}

func (b *bench) keep(where *[]wire.Message, m wire.Message, settle func(bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*where = append(*where, m)
	settle(true)
}

func (b *bench) counts() (replies, dead int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.replies), len(b.dead)
}

// worker returns a worker that logs to the test.
func (b *bench) worker(config steps.Config) *steps.Worker {
	config.Logger = slog.New(slog.NewTextHandler(b.t.Output(), nil))
	return steps.NewWorker("payments", config)
}

// run runs a worker until stop is called or the test ends.
func (b *bench) run(w *steps.Worker) (stop func()) {
	return background(b.t, func(ctx context.Context) { assert.NoError(b.t, w.Run(ctx, b.broker)) })
}

func (b *bench) send(commands ...wire.Command) {
	b.t.Helper()
	for _, receipt := range env.Receipts(b.t.Context(), b.broker.Publish, commands) {
		require.Equal(b.t, wire.Confirmed, receipt.Outcome, receipt.Reason)
	}
}

// reply waits for count replies and returns the last one.
func (b *bench) reply(count int) saga.Reply {
	b.t.Helper()
	require.Eventually(b.t, func() bool { n, _ := b.counts(); return n >= count }, patience, time.Millisecond, "no reply")
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.replies[count-1]
	reply, err := wire.DecodeReply(last.CorrelationID, last.Body)
	require.NoError(b.t, err, "the orchestrator does not understand %s", last.Body)
	return reply
}

// deadLetter waits for the first dead letter.
func (b *bench) deadLetter() wire.Message {
	b.t.Helper()
	require.Eventually(b.t, func() bool { _, n := b.counts(); return n >= 1 }, patience, time.Millisecond, "no dead letter")
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dead[0]
}

// settled stops the worker and waits until the queue is empty.
func (b *bench) settled(stop func()) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.depth() == 0 }, patience, time.Millisecond)
	stop()
	require.Zero(b.t, b.depth())
}

func (b *bench) depth() int {
	states, err := b.broker.Inspect(b.t.Context(), []string{"payments"})
	require.NoError(b.t, err)
	return states["payments"].Depth
}

// command is an attempt to charge order 42 or to refund it.
func command(direction saga.Direction, attempt int) wire.Command {
	name, body := "payments.charge", `{"data":{"orderId":"42","amount":120}}`
	if direction == saga.Compensate {
		name, body = "payments.refund", `{"data":{"orderId":"42","amount":120},"output":{"chargeId":"c-1"}}`
	}
	return wire.Command{
		ID:         saga.CommandID{Saga: "saga-1", Step: "charge", Direction: direction, Round: 1, Attempt: attempt},
		Definition: "order", Version: 3, Name: name, Queue: "payments", Timeout: time.Minute,
		TraceParent: "00-trace", Body: json.RawMessage(body),
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

type chargeInput struct {
	OrderID string `json:"orderId"`
	Amount  int    `json:"amount"`
}

type chargeOutput struct {
	ChargeID string `json:"chargeId"`
}
