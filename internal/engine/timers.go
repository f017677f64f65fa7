package engine

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// horizon is how far ahead this process remembers when to wake a saga. What is due later is found in the store.
const horizon = time.Minute

// timers wakes the sagas that this process has decided on lately, to the millisecond. It is only a cache of what is
// stored: the poll finds whatever it has lost, and a timer that fires for nothing does no harm.
type timers struct {
	clock   func() time.Time
	changed wait.Signal // fires when another alarm may be the next

	mu      sync.Mutex
	pending map[string]*alarm
	queue   alarms
}

type alarm struct {
	sagaID string
	wakeAt time.Time // by the store's clock
	at     time.Time // by this process's clock
	index  int
}

func newTimers(clock func() time.Time) *timers {
	return &timers{clock: clock, changed: wait.NewSignal(), pending: make(map[string]*alarm)}
}

// set remembers when to wake a saga; wakeAt and now are by the store's clock, so the two clocks may differ. stale says that
// now is the time of the saga's last change: an alarm for the same time, which has been running since, is then right.
func (t *timers) set(sagaID string, wakeAt, now time.Time, stale bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := wakeAt.Sub(now)
	known, pending := t.pending[sagaID]
	switch {
	case wakeAt.IsZero() || wait > horizon:
		if pending {
			heap.Remove(&t.queue, known.index)
			delete(t.pending, sagaID)
		}
		return
	case pending && stale && known.wakeAt.Equal(wakeAt):
		return
	case pending:
		known.at, known.wakeAt = t.clock().Add(wait), wakeAt
		heap.Fix(&t.queue, known.index)
	default:
		known = &alarm{sagaID: sagaID, at: t.clock().Add(wait), wakeAt: wakeAt}
		t.pending[sagaID] = known
		heap.Push(&t.queue, known)
	}
	if known.index == 0 {
		t.changed.Notify()
	}
}

// fire fires alarms until ctx ends.
func (e *Engine) fire(ctx context.Context) {
	timer := time.NewTimer(horizon)
	defer timer.Stop()
	for {
		timer.Reset(e.FireTimers(ctx))
		select {
		case <-timer.C:
		case <-e.timers.changed.C():
		case <-ctx.Done():
			return
		}
	}
}

// FireTimers wakes the sagas whose time has come, and says how long it is until the next one's. It is to be called
// then, and whenever a batch was decided.
func (e *Engine) FireTimers(ctx context.Context) (wait time.Duration) {
	for _, fired := range e.timers.due() {
		e.wake(ctx, fired.sagaID, fired.wakeAt)
	}
	return e.timers.untilNext()
}

// due takes the alarms whose time has come.
func (t *timers) due() (fired []*alarm) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	for len(t.queue) > 0 && !t.queue[0].at.After(now) {
		next := heap.Pop(&t.queue).(*alarm) //nolint:forcetypeassert // the queue holds nothing else
		delete(t.pending, next.sagaID)
		fired = append(fired, next)
	}
	return fired
}

func (t *timers) untilNext() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return horizon
	}
	return t.queue[0].at.Sub(t.clock())
}

// wake brings the event that time has passed to a saga's lane. measured is the time that has come by this process's own
// clock, zero where only the store says that the saga is due.
func (e *Engine) wake(ctx context.Context, sagaID string, measured time.Time) {
	r := &request{kind: applyEvent, sagaID: sagaID, cause: saga.Wake{}, measured: measured, done: func(a answer) {
		if errors.Is(a.err, record.ErrUnreadable) {
			e.setAside(sagaID, a.err)
		}
	}}
	_ = e.lane(sagaID).add(ctx, r) // only fails on the way out; the store knows when the saga is due
}

// alarms is a heap of alarms, the earliest first.
type alarms []*alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push is heap.Interface's.
func (a *alarms) Push(x any) {
	next := x.(*alarm) //nolint:forcetypeassert // heap.Push is given nothing else
	next.index = len(*a)
	*a = append(*a, next)
}

// Pop is heap.Interface's.
func (a *alarms) Pop() any {
	last := (*a)[len(*a)-1]
	(*a)[len(*a)-1] = nil
	*a = (*a)[:len(*a)-1]
	return last
}
