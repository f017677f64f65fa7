package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	// manyEvents is how many a batch has of a lane that has a lot to do.
	busyBatch = 8
	// gatherFor is how long such a lane lets the next batch grow.
	gatherFor = 2 * time.Millisecond
	// batchBytes is how much the events of one batch may hold, unless one alone holds more.
	batchBytes = 4 << 20
	// bytesPerUnit is what an item may hold for each unit of room that it takes in its lane.
	bytesPerUnit = 16 << 10
)

// lane decides the events of its sagas, one batch after the other: while one is committed, the next gathers. One event
// alone, or a few, do not wait.
type lane struct {
	engine *Engine
	room   *semaphore.Weighted // bounds what waits here
	filled wait.Signal         // fires when items may not be empty
	enough wait.Signal         // fires when as many wait as are wanted
	last   int                 // size of the last batch
	limit  int                 // events in the next batch at most: fewer after one that could not be stored
	wait   time.Duration       // before the next try, after one that failed

	mu     sync.Mutex
	requests  []*request
	parked []*parkedSaga
	wanted int // how many are waited for; 0: nobody counts
	closed bool
}

func newLane(e *Engine) *lane {
	return &lane{
		engine: e, room: semaphore.NewWeighted(int64(e.config.LaneCapacity)),
		filled: wait.NewSignal(), enough: wait.NewSignal(), limit: e.config.BatchSize,
	}
}

// capacity is what may wait in a lane, in units of weight.
func (l *lane) capacity() int64 { return int64(l.engine.config.LaneCapacity) }

// weight is the room that an item takes: one, and more where it is large.
func (l *lane) weight(r *request) int64 {
	return min(1+int64(r.bytes/bytesPerUnit), l.capacity())
}

func (l *lane) release(requests ...*request) {
	for _, r := range requests {
		l.room.Release(l.weight(r))
	}
}

// add puts an item in line. It waits while the lane is full: that is how a slow store slows those who bring events.
func (l *lane) add(ctx context.Context, r *request) error {
	r.bytes = r.size()
	if err := l.room.Acquire(ctx, l.weight(r)); err != nil {
		return record.ErrUnavailable
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.release(r)
		return ErrStopped
	}
	l.requests = append(l.requests, r)
	l.filled.Notify()
	if len(l.requests) == l.wanted {
		l.enough.Notify()
	}
	return nil
}

// close lets the lane end once it has decided what it has.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.filled.Notify()
}

// take returns what waits, up to a batch; ended says that nothing will come any more. again is an item of a parked saga
// that is to be tried again alone.
func (l *lane) take() (batch []*request, again *request, ended bool) {
	batch, again, dropped, ended := l.taken()
	for _, r := range dropped {
		r.done(answer{err: record.ErrUnavailable})
	}
	l.release(dropped...)
	return batch, again, ended
}

// taken is take, and returns besides what is not worth waiting for. What belongs to a parked saga goes there.
func (l *lane) taken() (batch []*request, again *request, dropped []*request, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if again = l.duePark(); again != nil {
		return nil, again, nil, false
	}
	limit, bytes, taken := min(len(l.requests), l.limit), 0, 0
	for _, r := range l.requests {
		if p := l.isParked(r.sagaID); p != nil {
			taken++
			if !l.waitBehind(p, r) {
				dropped = append(dropped, r)
			}
			continue
		}
		if len(batch) == limit || bytes > 0 && bytes+r.bytes > batchBytes {
			break
		}
		if batch == nil {
			batch = make([]*request, 0, limit)
		}
		batch, bytes = append(batch, r), bytes+r.bytes
		taken++
	}
	l.requests = l.requests[taken:]
	if len(l.requests) == 0 {
		l.requests = nil // let go of what has been decided
	} else {
		l.filled.Notify()
	}
	return batch, nil, dropped, l.closed && len(batch) == 0 && len(l.requests) == 0 && len(l.parked) == 0
}

// run decides batches until the lane is closed and empty. When ctx ends, what is left is given up.
func (l *lane) run(ctx context.Context) {
	for {
		l.engine.config.Outbox.Await(ctx)
		l.gather(ctx)
		decided, ended := l.decideBatch(ctx)
		switch {
		case ended:
			return
		case !decided:
			l.last = 0 // who comes to a lane that has nothing to do does not wait
			l.rest(ctx)
			wait.Yield()
		}
	}
}

// rest waits until something comes, or a parked saga is due; close sees to something.
func (l *lane) rest(ctx context.Context) {
	pause, some := l.untilParked()
	if !some {
		<-l.filled.C()
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-l.filled.C():
	case <-timer.C:
	case <-ctx.Done():
		l.giveUpAll(record.ErrUnavailable)
	}
}

// gather lets the next batch grow where the last one was large. On a busy machine what is done once a batch keeps others
// from bringing more, and a batch of twice the size costs little more.
func (l *lane) gather(ctx context.Context) {
	if l.last < busyBatch || !l.want(min(2*l.last, l.engine.config.BatchSize)) {
		return
	}
	patience := time.NewTimer(gatherFor)
	defer patience.Stop()
	select {
	case <-l.enough.C():
	case <-patience.C:
	case <-ctx.Done():
	}
}

// want has enough told when so many events wait, and is false when it has nothing to wait for.
func (l *lane) want(events int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.enough.C(): // of an earlier wait
	default:
	}
	l.wanted = events
	return len(l.requests) > 0 && len(l.requests) < events && !l.closed
}

// decideBatch decides what waits, up to a batch.
func (l *lane) decideBatch(ctx context.Context) (decided, ended bool) {
	batch, again, ended := l.take()
	switch {
	case again != nil:
		l.retryParked(ctx, again)
		return true, false
	case len(batch) == 0:
		return false, ended
	}
	l.last = len(batch)
	stay := l.dropImpatient(batch)
	if len(stay) == 0 {
		return true, false
	}
	busy, err := l.engine.decide(ctx, stay)
	if err != nil {
		l.failed(ctx, stay, err)
		return true, false
	}
	l.limit, l.wait = min(2*l.limit, l.engine.config.BatchSize), 0
	l.release(without(stay, busy)...)
	l.putLast(busy)
	if len(busy) == len(stay) && !l.engine.config.Pause(ctx, busyPause) {
		l.giveUpAll(record.ErrUnavailable)
	}
	return true, false
}

// failed deals with a batch that was not stored. The next one has half as many events, so that one which the store does not
// take, or which makes the batch too large, is soon alone; then it waits by itself.
func (l *lane) failed(ctx context.Context, requests []*request, err error) {
	l.engine.warn("store", "a batch was not stored, trying again", "events", len(requests), "error", err)
	l.limit = max(1, len(requests)/2)
	if len(requests) == 1 && ctx.Err() == nil && l.park(ctx, requests[0]) {
		l.engine.warn("park/"+requests[0].sagaID, "an event cannot be stored, it waits by itself", "saga", requests[0].sagaID, "error", err)
		return
	}
	l.putBack(requests)
	l.wait = min(max(2*l.wait, firstBackoff), maxBackoff)
	if !l.engine.config.Pause(ctx, l.wait) {
		l.giveUpAll(errors.Join(record.ErrUnavailable, err))
	}
}

// impatientLeave answers the items whose callers have gone, and returns the others.
func (l *lane) dropImpatient(requests []*request) []*request {
	stay := make([]*request, 0, len(requests))
	for _, r := range requests {
		if r.patience != nil && r.patience.Err() != nil {
			r.done(answer{err: errors.Join(record.ErrUnavailable, r.patience.Err())})
			l.release(r)
			continue
		}
		stay = append(stay, r)
	}
	return stay
}

// without are the items that are not among the others, which are in the same order.
func without(requests, others []*request) []*request {
	if len(others) == 0 {
		return requests
	}
	rest := make([]*request, 0, len(requests)-len(others))
	for _, r := range requests {
		if len(others) > 0 && r == others[0] {
			others = others[1:]
			continue
		}
		rest = append(rest, r)
	}
	return rest
}

// busyPause is how long a lane waits that has nothing but sagas which another replica is changing.
const busyPause = 10 * time.Millisecond

// putBack puts items first in line again, so that the events of a saga stay in their order.
func (l *lane) putBack(requests []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(slices.Clone(requests), l.requests...)
	l.filled.Notify()
}

// putLast puts items whose sagas are busy behind the others, so that many of them hide none. What has come for the same
// sagas meanwhile stays behind them.
func (l *lane) putLast(busy []*request) {
	if len(busy) == 0 {
		return
	}
	sagas := make(map[string]bool, len(busy))
	for _, r := range busy {
		sagas[r.sagaID] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	requests := make([]*request, 0, len(l.requests)+len(busy))
	for _, r := range l.requests {
		if sagas[r.sagaID] {
			busy = append(busy, r)
		} else {
			requests = append(requests, r)
		}
	}
	l.requests = append(requests, busy...)
	l.filled.Notify()
}

// giveUpAll gives up all that waits when there is no time left.
func (l *lane) giveUpAll(err error) {
	l.mu.Lock()
	requests := l.requests
	for _, p := range l.parked {
		requests = append(requests, p.requests...)
	}
	l.requests, l.parked = nil, nil
	l.mu.Unlock()
	for _, r := range requests {
		r.done(answer{err: err})
	}
	l.release(requests...)
}

// Lanes is how many lanes the engine has; they count from 0.
func (e *Engine) Lanes() int { return len(e.lanes) }

// DecideBatch decides what waits in a lane, up to a batch; it is false when nothing waits there. A lane decides one
// batch at a time.
func (e *Engine) DecideBatch(ctx context.Context, lane int) bool {
	decided, _ := e.lanes[lane].decideBatch(ctx)
	return decided
}
