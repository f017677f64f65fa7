package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// work compiles conditions that hold, each of which takes that long.
type work time.Duration

func (w work) Condition(string) (saga.Condition, error)   { return w, nil }
func (w work) Schema(saga.RawSchema) (saga.Schema, error) { return nil, errors.New("no schemas") }
func (w work) Holds(json.RawMessage) (bool, error)        { return true, nil }
func (w work) Evaluate(json.RawMessage) (bool, saga.Work, error) {
	return true, time.Duration(w), nil
}

// conditional is a saga whose condition is evaluated once its first step has succeeded.
func conditional(name string) *saga.Definition {
	return saga.New(name).
		Step("reserve", "stock.reserve").
		Step("gift", "stock.wrap", saga.When("data.gift")).
		MustBuild()
}

// idle returns an engine that decides only what DecideBatch is called for, as a process that has just started.
func idle(b *faultyStore, config engine.Config) *engine.Engine {
	config.Store, config.Outbox, config.Lanes = b, nullOutbox{}, 1
	return engine.New(config)
}

func settledNow(settled <-chan bool) bool {
	select {
	case ok := <-settled:
		return ok
	default:
		return false
	}
}

// drain decides everything that waits in the lanes of costly definitions, and returns the number of batches.
func drain(t *testing.T, e *engine.Engine) (batches int) {
	t.Helper()
	for lane := 1; lane < e.Lanes(); lane++ {
		for e.DecideBatch(t.Context(), lane) {
			batches++
		}
	}
	return batches
}

func TestSagasDoNotWaitBehindTheCostlyConditionsOfOthers(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	const costly = 40 * time.Millisecond
	_, slow := b.started(t, engine.Config{Compiler: work(costly)}, conditional("slow"), 20)
	_, quick := b.started(t, engine.Config{}, payment(), 1)
	e := idle(b, engine.Config{Compiler: work(costly)})
	replies := map[string]<-chan bool{}
	for _, id := range slow {
		replies[id] = succeed(e, id)
	}
	healthy := succeed(e, quick[0])

	require.True(t, e.DecideBatch(t.Context(), 0))
	assert.True(t, settledNow(healthy), "it is decided in the first batch")
	assert.Equal(t, 1, e.Health().Costly)
	assert.GreaterOrEqual(t, e.Health().CostlyWaiting, 19, "all but the one that showed it")
	require.False(t, e.DecideBatch(t.Context(), 0), "the others have left the lane")

	assert.GreaterOrEqual(t, drain(t, e), 7, "a batch ends after 100 ms of such work")
	for _, id := range slow {
		assert.True(t, settledNow(replies[id]))
		kept, err := b.Saga(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, saga.StepRunning, kept.Steps[1].Status)
	}
}

func TestStartsWithCostlyConditionsAreDecidedApart(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	first := saga.New("slow").Step("gift", "stock.wrap", saga.When("data.gift")).MustBuild()
	_, _ = b.started(t, engine.Config{Compiler: work(time.Second)}, first, 0)
	e := idle(b, engine.Config{Compiler: work(time.Second)})
	const starts = 6
	started := make(chan error, starts)
	for i := range starts {
		go func() {
			_, existed, err := e.Start(context.Background(), record.StartRequest{Definition: "slow", IdempotencyKey: string(rune('a' + i/2))})
			if existed {
				err = errors.Join(err, errExisted)
			}
			started <- err
		}()
	}
	existed := 0
	for range starts {
		require.Eventually(t, func() bool {
			e.DecideBatch(t.Context(), 0)
			drain(t, e)
			return len(started) > 0
		}, 10*time.Second, time.Millisecond)
		if err := <-started; err != nil {
			require.ErrorIs(t, err, errExisted)
			existed++
		}
	}
	assert.Equal(t, starts/2, existed, "each key has one saga")
	for _, batch := range b.batches {
		assert.LessOrEqual(t, batch, starts)
	}
	assert.Equal(t, 1, b.batches[len(b.batches)-1], "each is alone")
}

var errExisted = errors.New("existed")

// What waits for costly conditions must not fill what the broker sends ahead.
func TestRepliesBeyondTheRoomForCostlySagasAreGivenBack(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	paused := make(chan time.Duration, 1000)
	config := engine.Config{Compiler: work(time.Second)}
	_, ids := b.started(t, config, conditional("slow"), 140)
	config.Pause = func(_ context.Context, about time.Duration) bool { paused <- about; return true }
	e := idle(b, config)
	settled := make([]<-chan bool, len(ids))
	for i, id := range ids {
		settled[i] = succeed(e, id)
	}
	for e.DecideBatch(t.Context(), 0) {
	}
	assert.Equal(t, 128, e.Health().CostlyWaiting)
	for i := 129; i < len(ids); i++ {
		require.False(t, <-settled[i], "the broker delivers it again")
		require.Positive(t, <-paused)
	}
	e.Wake(t.Context(), ids[3])
	require.False(t, e.DecideBatch(t.Context(), 0), "its reply waits already")
	e.Wake(t.Context(), ids[135])
	require.True(t, e.DecideBatch(t.Context(), 0), "it is loaded, and finds no room")
	require.Greater(t, e.FireTimers(t.Context()), time.Second, "it waits for its turn, although it is due")
	drain(t, e)
	for i := range 129 {
		assert.True(t, settledNow(settled[i]), "%d", i)
	}
}
