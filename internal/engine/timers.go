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

// horizon is how far ahead this process keeps a timer. Polls find later wakes in the store.
const horizon = time.Minute

// timers wakes the sagas that this process has decided lately, with millisecond precision. They only cache what is
// stored: polls find whatever is lost, and a timer that fires for no reason does no harm.
type timers struct {
	clock   func() time.Time
	changed wait.Signal // fires when another alarm may be the next

	mu      sync.Mutex
	pending map[string]*alarm
	queue   alarms
}

type alarm struct {
	sagaID string
	wakeAt time.Time // by the clock of the store; zero: the saga is due, and waits for another reason
	at     time.Time // by the clock of this process
	index  int
}

func newTimers(clock func() time.Time) *timers {
	return &timers{clock: clock, changed: wait.NewSignal(), pending: make(map[string]*alarm)}
}

// set schedules the wake of a saga. wakeAt and now are by the clock of the store, which may differ from the clock of
// this process. stale means that now is the time of the saga's last change; a running alarm for the same wakeAt is then
// more accurate.
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

// postpone schedules the wake of a saga that is due, unless it has an alarm.
func (t *timers) postpone(sagaID string, pause time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, pending := t.pending[sagaID]; pending {
		return
	}
	again := &alarm{sagaID: sagaID, at: t.clock().Add(pause)}
	t.pending[sagaID] = again
	heap.Push(&t.queue, again)
	if again.index == 0 {
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

// FireTimers wakes the sagas whose time has come, and returns the time until the next alarm. Call it then, and after
// every batch.
func (e *Engine) FireTimers(ctx context.Context) (wait time.Duration) {
	for _, fired := range e.timers.due() {
		e.wake(ctx, fired.sagaID, fired.wakeAt)
	}
	return e.timers.untilNext()
}

// due removes and returns the alarms whose time has come.
func (t *timers) due() (fired []*alarm) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	for len(t.queue) > 0 && !t.queue[0].at.After(now) {
		next := heap.Pop(&t.queue).(*alarm) //nolint:forcetypeassert // the queue holds only alarms
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

// Wake gives a saga the event that time has passed, like PollStore does to every saga that is due.
func (e *Engine) Wake(ctx context.Context, sagaID string) { e.wake(ctx, sagaID, time.Time{}) }

// wake gives a saga the event that time has passed. measured is the time reached by the clock of this process; zero if
// only the store knows that the saga is due.
func (e *Engine) wake(ctx context.Context, sagaID string, measured time.Time) {
	if e.costly.awaits(sagaID) {
		return // what waits there sets the next timer
	}
	if e.storing.repliesFirst(e.config.Now()) {
		e.probe(ctx, sagaID)
	}
	if e.storing.repliesFirst(e.config.Now()) {
		e.timers.postpone(sagaID, wakeAgain)
		return
	}
	r := &request{kind: applyEvent, sagaID: sagaID, cause: saga.Wake{}, measured: measured, done: func(a answer) {
		switch {
		case errors.Is(a.err, record.ErrUnreadable):
			e.setAside(sagaID, a.err)
		case errors.Is(a.err, errCostlyFull): // polls would have it loaded each second
			e.timers.postpone(sagaID, costlyPause)
		case errors.Is(a.err, record.ErrUnavailable):
			e.timers.postpone(sagaID, wakeAgain)
		}
	}}
	_ = e.lane(sagaID).add(ctx, r) // fails only during shutdown; the store knows when the saga is due
}

// alarms is a heap, earliest alarm first.
type alarms []*alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push implements heap.Interface.
func (a *alarms) Push(x any) {
	next := x.(*alarm) //nolint:forcetypeassert // heap.Push gets only alarms
	next.index = len(*a)
	*a = append(*a, next)
}

// Pop implements heap.Interface.
func (a *alarms) Pop() any {
	last := (*a)[len(*a)-1]
	(*a)[len(*a)-1] = nil
	*a = (*a)[:len(*a)-1]
	return last
}
