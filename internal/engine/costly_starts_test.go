package engine_test

import (
	"context"
	"encoding/json"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// crowded compiles schemas whose checks take long, and counts the estimates, and the checks that run at the same time. Data with
// "bad" does not match.
type crowded struct {
	work
	costs        saga.Work
	estimated    atomic.Int64
	inside, most atomic.Int64
	entered      chan struct{}
}

func newCrowded(costs saga.Work) *crowded {
	return &crowded{costs: costs, entered: make(chan struct{})}
}

func (c *crowded) Schema(saga.RawSchema) (saga.Schema, error) { return c, nil }
func (c *crowded) CompileWork() saga.Work                     { return 0 }

func (c *crowded) Check(value json.RawMessage) saga.Faults {
	faults, _, _ := c.Measure(value, 0)
	return faults
}

func (c *crowded) Measure(value json.RawMessage, most saga.Work) (saga.Faults, saga.Work, bool) {
	if most > 0 {
		c.estimated.Add(1)
		c.letIn()
		return nil, c.costs, false
	}
	if now := c.inside.Add(1); now > c.most.Load() {
		c.most.Store(now)
	}
	defer c.inside.Add(-1)
	c.letIn()
	if string(value) == `{"bad":true}` {
		return saga.Faults{{Message: "is bad"}}, c.costs, true
	}
	return nil, c.costs, true
}

// letIn gives another one the time to come in.
func (c *crowded) letIn() {
	select {
	case c.entered <- struct{}{}:
	case <-c.entered:
	case <-time.After(20 * time.Millisecond):
	}
}

func checkedBySchema() *saga.Definition {
	return saga.New("checked").DataSchema(json.RawMessage(`{}`)).Step("reserve", "stock.reserve").MustBuild()
}

// The first estimate shows that a definition is costly: the starts at the same time are not checked in the goroutines of their callers.
func TestFewCostlyChecksOfStartsRunAtATime(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	c := newCrowded(100 * time.Millisecond)
	e, _ := b.started(t, engine.Config{Compiler: c}, checkedBySchema(), 0)
	var starts sync.WaitGroup
	for range 16 {
		starts.Go(func() {
			_, _, err := e.Start(t.Context(), record.StartRequest{Definition: "checked"})
			assert.NoError(t, err)
		})
	}
	starts.Wait()
	require.Equal(t, 1, e.Health().Costly)
	assert.LessOrEqual(t, c.estimated.Load(), int64(max(1, runtime.NumCPU()/2)))
	assert.LessOrEqual(t, c.most.Load(), int64(max(1, runtime.NumCPU()/4)))

	require.True(t, e.IsCostly("checked", 0))
	require.True(t, e.IsCostly("checked", 1))
	require.False(t, e.IsCostly("checked", 2))
	require.False(t, e.IsCostly("other", 0))
}

func TestCostlyDataThatDoesNotMatchIsRefused(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e, _ := b.started(t, engine.Config{Compiler: newCrowded(time.Second)}, checkedBySchema(), 0)
	bad := record.StartRequest{Definition: "checked", Data: json.RawMessage(`{"bad":true}`)}
	for range 2 {
		_, _, err := e.Start(t.Context(), bad)
		var invalid *record.InvalidDataError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, "is bad", invalid.Faults[0].Message)
	}
	good := record.StartRequest{Definition: "checked", IdempotencyKey: "one", BodyHash: []byte("hash")}
	in, _, err := e.Start(t.Context(), good)
	require.NoError(t, err)
	good.Data = bad.Data // the caller sends the same body, but the schema has changed
	again, existed, err := e.Start(t.Context(), good)
	require.NoError(t, err)
	require.True(t, existed)
	require.Equal(t, in.ID, again.ID)
}

// Starts that come again do not take the room of callers, and neither keeps the other out.
func TestACostlyStartThatComesAgainDoesNotWaitForRoom(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e := idle(b, engine.Config{Compiler: newCrowded(time.Second)})
	_, _, err := e.RegisterDefinition(t.Context(), checkedBySchema())
	require.NoError(t, err)
	again := record.StartRequest{Definition: "checked", ComesAgain: true}
	waiting := make(chan error, 2)
	begin := func(start record.StartRequest, inLanes int) {
		go func() {
			_, _, err := e.Start(context.WithoutCancel(t.Context()), start)
			waiting <- err
		}()
		require.Eventually(t, func() bool { return e.Health().CostlyWaiting == inLanes }, 5*time.Second, time.Millisecond)
	}
	begin(again, 1)
	_, _, err = e.Start(t.Context(), again)
	require.ErrorIs(t, err, record.ErrCostly, "at once: nothing decides here")
	begin(record.StartRequest{Definition: "checked"}, 2)

	require.Equal(t, 2, drain(t, e), "each is checked and decided alone")
	require.NoError(t, <-waiting)
	require.NoError(t, <-waiting)
}

// A start by message that finds no room would keep others waiting in its queue.
func TestACostlyStartByMessageThatFindsNoRoomWaitsInTheStore(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	queued := make(chan record.QueuedStart, 1)
	e := idle(b, engine.Config{Compiler: newCrowded(time.Second), QueueStart: func(_ context.Context, start record.QueuedStart) error {
		queued <- start
		return nil
	}})
	_, _, err := e.RegisterDefinition(t.Context(), checkedBySchema())
	require.NoError(t, err)
	decode := func(wire.Message) (record.StartRequest, error) {
		return record.StartRequest{Definition: "checked"}, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan bool, 1)
	go e.ReceiveStart(ctx, wire.Message{Queue: "saga.start", MessageID: "first"}, decode, func(ok bool) { first <- ok })
	require.Eventually(t, func() bool { return e.Health().CostlyWaiting == 1 }, 5*time.Second, time.Millisecond)

	settled := make(chan bool, 1)
	settle := func(ok bool) { settled <- ok }
	go e.ReceiveStart(ctx, wire.Message{
		Queue: "saga.start", MessageID: "second", UserID: "shop", Body: []byte("\ufeff{}"), Headers: map[string]any{wire.HeaderTraceParent: "00-a"},
	}, decode, settle)
	requireSettled(t, settled)
	start := <-queued
	require.NotEmpty(t, start.SagaID)
	require.Equal(t, record.QueuedStart{
		SagaID: start.SagaID, IdempotencyKey: "second", Actor: "shop", Body: []byte("{}"), ByMessage: true, TraceParent: "00-a",
	}, start)

	message := engine.QueuedStart(start)
	require.Equal(t, []any{true, "00-a"}, []any{message.Headers[wire.HeaderByMessage], message.Headers[wire.HeaderTraceParent]})
	e.ReceiveStart(ctx, message, decode, settle)
	require.False(t, <-settled, "a row stays where it is")
	cancel()
	require.False(t, <-first)
}
