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
	// batchBytes limits the events of a batch, unless one event alone is larger.
	batchBytes = 4 << 20
	// bytesPerUnit is the size of a request from which it takes another unit of room in its lane.
	bytesPerUnit = 16 << 10
)

// lane decides the events of its sagas, one batch after the other. While one batch is committed, the next gathers.
type lane struct {
	engine *Engine
	room   *semaphore.Weighted // bounds what waits here
	filled wait.Signal         // fires when requests may have arrived
	enough wait.Signal         // fires when the wanted number of requests waits
	pace   pace
	limit  int           // most events in the next batch; lower after a failure
	wait   time.Duration // pause before the next try, after a failure

	mu       sync.Mutex
	requests []*request
	parked   []*parkedSaga
	wanted   int // requests that must wait before enough fires; 0: it does not fire
	closed   bool
}

func newLane(e *Engine) *lane {
	return &lane{
		engine: e, room: semaphore.NewWeighted(int64(e.config.LaneCapacity)),
		filled: wait.NewSignal(), enough: wait.NewSignal(), limit: e.config.BatchSize,
	}
}

// capacity returns the room of the lane, in units of weight.
func (l *lane) capacity() int64 { return int64(l.engine.config.LaneCapacity) }

// weight returns the room that a request takes: one unit, or more if it is large.
func (l *lane) weight(r *request) int64 {
	return min(1+int64(r.bytes/bytesPerUnit), l.capacity())
}

func (l *lane) release(requests ...*request) {
	for _, r := range requests {
		l.room.Release(l.weight(r))
	}
}

// add appends a request. It blocks while the lane is full, so a slow store slows the input down.
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

// close lets the lane end once it has decided its requests.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.filled.Notify()
}

// take returns the next batch. retry is a parked request that is due, to be decided alone; ended means that the lane is
// closed and empty.
func (l *lane) take() (batch []*request, retry *request, ended bool) {
	batch, retry, dropped, ended := l.taken()
	for _, r := range dropped {
		r.done(answer{err: record.ErrUnavailable})
	}
	l.release(dropped...)
	return batch, retry, ended
}

// taken does the work of take. It moves requests of parked sagas behind those, and also returns the requests that find
// no room there.
func (l *lane) taken() (batch []*request, retry *request, dropped []*request, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if retry = l.duePark(); retry != nil {
		return nil, retry, nil, false
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
		l.requests = nil // release the memory of decided requests
	} else {
		l.filled.Notify()
	}
	return batch, nil, dropped, l.closed && len(batch) == 0 && len(l.requests) == 0 && len(l.parked) == 0
}

// run decides batches until the lane is closed and empty. When ctx ends, it gives up the rest.
func (l *lane) run(ctx context.Context) {
	for {
		l.engine.config.Outbox.Await(ctx)
		l.gather(ctx)
		decided, ended := l.decideBatch(ctx)
		switch {
		case ended:
			return
		case !decided:
			l.idle(ctx)
			wait.Yield()
		}
	}
}

// idle waits until a request arrives, a parked saga is due, or the lane is closed.
func (l *lane) idle(ctx context.Context) {
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

// gather lets the next batch grow, as long as its pace allows.
func (l *lane) gather(ctx context.Context) {
	grows, patience := l.grows()
	if !grows {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-l.enough.C():
	case <-timer.C:
	case <-ctx.Done():
	}
}

// grows arms enough for the events that the next batch waits for. It returns false if the batch does not wait.
func (l *lane) grows() (grows bool, patience time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.enough.C(): // left over from an earlier wait
	default:
	}
	l.wanted, patience = l.pace.growth(len(l.requests))
	l.wanted = min(l.wanted, l.engine.config.BatchSize)
	return len(l.requests) > 0 && len(l.requests) < l.wanted && !l.closed, patience
}

// decideBatch decides the next batch, if any.
func (l *lane) decideBatch(ctx context.Context) (decided, ended bool) {
	batch, retry, ended := l.take()
	switch {
	case retry != nil:
		l.retryParked(ctx, retry)
		return true, false
	case len(batch) == 0:
		return false, ended
	}
	batch = l.dropImpatient(batch)
	if len(batch) == 0 {
		return true, false
	}
	busy, err := l.engine.decide(ctx, batch)
	if err != nil {
		l.failed(ctx, batch, err)
		return true, false
	}
	l.limit, l.wait = min(2*l.limit, l.engine.config.BatchSize), 0
	l.pace.decided(l.engine.config.Now(), len(batch), turnaroundsOf(batch))
	l.release(without(batch, busy)...)
	l.putLast(busy)
	if len(busy) == len(batch) && !l.engine.config.Pause(ctx, busyPause) {
		l.giveUpAll(record.ErrUnavailable)
	}
	return true, false
}

// turnaroundsOf returns the times of the commands that the requests answer.
func turnaroundsOf(requests []*request) []time.Duration {
	times := make([]time.Duration, 0, len(requests))
	for _, r := range requests {
		if r.turnaround > 0 {
			times = append(times, r.turnaround)
		}
	}
	return times
}

// failed handles a batch that was not stored. The next batch has half the size, so that an event which the store does
// not accept is soon alone; then it is parked.
func (l *lane) failed(ctx context.Context, requests []*request, err error) {
	l.engine.warn("store", "cannot store a batch, will retry", "events", len(requests), "error", err)
	l.limit = max(1, len(requests)/2)
	if len(requests) == 1 && ctx.Err() == nil && l.park(ctx, requests[0]) {
		l.engine.warn("park/"+requests[0].sagaID, "cannot store an event, parked its saga", "saga", requests[0].sagaID, "error", err)
		return
	}
	l.putBack(requests)
	l.wait = min(max(2*l.wait, firstBackoff), maxBackoff)
	if !l.engine.config.Pause(ctx, l.wait) {
		l.giveUpAll(errors.Join(record.ErrUnavailable, err))
	}
}

// dropImpatient answers the requests whose callers have given up, and returns the others.
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

// without returns the requests that are not among others, which are in the same order.
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

// busyPause is the pause of a lane whose sagas are all being changed by other replicas.
const busyPause = 10 * time.Millisecond

// putBack returns requests to the front, so that the events of each saga keep their order.
func (l *lane) putBack(requests []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(slices.Clone(requests), l.requests...)
	l.filled.Notify()
}

// putLast moves the requests of busy sagas behind all others, so that they hold up no other saga. Later requests of the
// same sagas stay behind them.
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

// giveUpAll answers everything that waits with an error, during shutdown.
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

// Lanes returns the number of lanes; they are numbered from 0.
func (e *Engine) Lanes() int { return len(e.lanes) }

// DecideBatch decides the next batch of a lane and reports whether there was one. Do not call it concurrently for one
// lane.
func (e *Engine) DecideBatch(ctx context.Context, lane int) bool {
	decided, _ := e.lanes[lane].decideBatch(ctx)
	return decided
}
