package operate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

func TestEveryLimitIsJudgedAtItsValueAndOnePast(t *testing.T) {
	t.Parallel()
	limits := operate.HealthLimits{Depth: 1000, Age: 5 * time.Minute, DeadLetters: 100}
	evidence := func(change func(*record.QueueEvidence)) record.QueueEvidence {
		found := record.QueueEvidence{Inspected: true, Consumers: 1}
		found.CommandsOut = 1
		change(&found)
		return found
	}
	for name, c := range map[string]struct {
		change func(*record.QueueEvidence)
		reason string
	}{
		"nothing":           {func(*record.QueueEvidence) {}, ""},
		"depth at limit":    {func(e *record.QueueEvidence) { e.Depth = 1000 }, ""},
		"depth past limit":  {func(e *record.QueueEvidence) { e.Depth = 1001 }, "1001 messages wait for a worker, more than 1000 (--alert-depth)."},
		"age at limit":      {func(e *record.QueueEvidence) { e.Age = 5 * time.Minute }, ""},
		"age past limit":    {func(e *record.QueueEvidence) { e.Age = 5*time.Minute + 1 }, "The oldest command has been out for 5m0.000000001s, longer than 5m0s (--alert-age)."},
		"age by seconds":    {func(e *record.QueueEvidence) { e.Age = 372*time.Second + time.Millisecond }, "The oldest command has been out for 6m12s, longer than 5m0s (--alert-age)."},
		"age of none out":   {func(e *record.QueueEvidence) { e.CommandsOut, e.Age = 0, time.Hour }, ""},
		"age while held":    {func(e *record.QueueEvidence) { e.HeldBack, e.Age = 1, time.Hour }, ""},
		"a consumer":        {func(e *record.QueueEvidence) { e.CommandsOut = 9 }, ""},
		"no consumer":       {func(e *record.QueueEvidence) { e.Consumers = 0 }, "The queue has no consumer, and 1 command is out."},
		"no consumer, many": {func(e *record.QueueEvidence) { e.Consumers, e.CommandsOut = 0, 2 }, "The queue has no consumer, and 2 commands are out."},
		"idle, no consumer": {func(e *record.QueueEvidence) { e.Consumers, e.CommandsOut = 0, 0 }, ""},
		"held, no consumer": {func(e *record.QueueEvidence) { e.Consumers, e.CommandsOut, e.HeldBack = 0, 0, 7 }, ""},
		"letters at limit":  {func(e *record.QueueEvidence) { e.DeadLetters = 100 }, ""},
		"letters past":      {func(e *record.QueueEvidence) { e.DeadLetters = 101 }, "101 dead letters came of the queue in the last hour, more than 100 (--alert-dead-letters)."},
		"unknown":           {func(e *record.QueueEvidence) { e.Inspected, e.Consumers, e.Depth = false, 0, 5000 }, ""},
	} {
		var want []string
		if c.reason != "" {
			want = []string{c.reason}
		}
		assert.Equal(t, want, limits.Judge(evidence(c.change)), name)
	}
	all := evidence(func(e *record.QueueEvidence) { e.Consumers, e.Depth, e.Age, e.DeadLetters = 0, 1001, time.Hour, 101 })
	assert.Len(t, limits.Judge(all), 4)
	strict := operate.HealthLimits{}
	assert.Equal(t, []string{"1 message waits for a worker, more than 0 (--alert-depth)."},
		strict.Judge(evidence(func(e *record.QueueEvidence) { e.Depth = 1 })))
}

// checked drives checks on a store in memory, with virtual time.
type checked struct {
	*storetest.Fixture
	mutex  sync.Mutex
	states map[string]wire.QueueState
	fault  error
	turned []string
}

func newChecked(t *testing.T) *checked {
	t.Helper()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	return &checked{Fixture: storetest.NewFixture(t, kept), states: make(map[string]wire.QueueState)}
}

func (c *checked) set(queue string, state wire.QueueState, fault error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.states[queue], c.fault = state, fault
}

func (c *checked) inspect(_ context.Context, queues []string) (map[string]wire.QueueState, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	found := make(map[string]wire.QueueState)
	for _, queue := range queues {
		if c.fault == nil || c.states[queue].Exists { // a broker with a fault leaves out the others
			found[queue] = c.states[queue]
		}
	}
	return found, c.fault
}

func (c *checked) seen() []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return append([]string(nil), c.turned...)
}

func (c *checked) replica(t *testing.T, name string) {
	t.Helper()
	health := operate.NewHealth(operate.HealthConfig{
		Queues: c.Fixture, Inspect: c.inspect, Holder: name,
		Sinks:  func(string) []record.Sink { return []record.Sink{record.SinkAMQP} },
		Limits: operate.HealthLimits{Depth: 10, Age: 5 * time.Minute, DeadLetters: 2},
		Turned: func(turned []record.QueueHealth) {
			c.mutex.Lock()
			defer c.mutex.Unlock()
			for i := range turned {
				c.turned = append(c.turned, turned[i].Queue+" "+turned[i].Status())
			}
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { health.Run(ctx); close(ended) }() // ends with the test
	t.Cleanup(func() { stop(); <-ended })
}

// after lets time pass, and returns the health of a queue.
func (c *checked) after(t *testing.T, passes time.Duration, queue string) record.QueueHealth {
	t.Helper()
	time.Sleep(passes) // virtual
	synctest.Wait()
	all, err := c.QueueHealth(t.Context())
	require.NoError(t, err)
	for i := range all {
		if all[i].Queue == queue {
			return all[i]
		}
	}
	return record.QueueHealth{}
}

func TestReplicasCheckQueuesAndNoteEachChangeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newChecked(t)
		queue := c.Order.Queues()[0]
		worker := wire.QueueState{Exists: true, Consumers: 1}
		c.set(queue, worker, nil)
		c.replica(t, "first")
		c.replica(t, "second")
		assert.Empty(t, c.after(t, 29*time.Second, queue).Queue, "the first check comes after an interval")
		assert.False(t, c.after(t, 2*time.Second, queue).Unhealthy)

		in := c.Start(saga.Start{})
		c.set(queue, wire.QueueState{Exists: true, Depth: 11}, nil)
		bad := c.after(t, 30*time.Second, queue)
		assert.Equal(t, []string{
			"The queue has no consumer, and 1 command is out.", "11 messages wait for a worker, more than 10 (--alert-depth).",
		}, bad.Reasons)
		c.set(queue, wire.QueueState{}, errors.New("the broker is away"))
		assert.Equal(t, bad, c.after(t, time.Minute, queue), "it stays while the broker is away")
		c.set(queue, wire.QueueState{Exists: true, Locked: true}, nil)
		assert.Equal(t, bad, c.after(t, time.Minute, queue), "it stays while nothing is known about a locked queue")
		c.set(queue, worker, errors.New("another queue cannot be inspected"))
		assert.False(t, c.after(t, time.Minute, queue).Unhealthy)
		c.set(queue, worker, nil)
		old := c.after(t, 2*time.Minute, queue)
		require.Len(t, old.Reasons, 1)
		assert.Regexp(t, `^The oldest command has been out for 5m(29|30)s, longer than 5m0s \(--alert-age\)\.$`, old.Reasons[0])
		c.Apply(in.ID, storetest.Do(saga.ActionAbandon))
		assert.False(t, c.after(t, 30*time.Second, queue).Unhealthy)
		want := []string{queue + " unhealthy", queue + " healthy", queue + " unhealthy", queue + " healthy"}
		assert.Equal(t, want, c.seen())
		events, err := c.NextEvents(t.Context(), record.SinkAMQP, 100)
		require.NoError(t, err)
		assert.Len(t, events, len(want), "one replica notes a change")
	})
}

func TestDeadLettersOfTheLastHourMakeAQueueUnhealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newChecked(t)
		queue := c.Order.Queues()[0]
		c.replica(t, "only")
		letter := func(n int) {
			err := c.Transact(t.Context(), record.Batch{DeadLetters: []record.DeadLetter{
				{ID: fmt.Sprint(n), Source: record.SourceCommand, Queue: queue},
			}}, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
			require.NoError(t, err)
		}
		letter(1)
		letter(2)
		assert.False(t, c.after(t, time.Minute, queue).Unhealthy)
		letter(3)
		assert.Equal(t, []string{"3 dead letters came of the queue in the last hour, more than 2 (--alert-dead-letters)."},
			c.after(t, time.Minute, queue).Reasons)
		assert.False(t, c.after(t, time.Hour, queue).Unhealthy, "an hour later")
	})
}
