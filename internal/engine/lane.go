package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// lane decides the events of its sagas, one batch after the other. While one batch is committed, the next gathers.
type lane struct {
	engine *Engine
	room   *semaphore.Weighted // bounds what waits here
	size   int64               // of room
	costly *costly             // nil: it is the lane of its sagas
	filled wait.Signal         // fires when requests may have arrived
	enough wait.Signal         // fires when the wanted number of requests waits
	pace   pace
	limit  int           // most events in the next batch; lower after a failure
	wait   time.Duration // pause before the next try, after a failure

	mu       sync.Mutex
	requests []*request
	parked   []*parkedSaga
	probeAt  time.Time // when the next parked saga may be tried, during an outage
	wanted   int       // requests that must wait before enough fires; 0: it does not fire
	closed   bool
}

func newLane(e *Engine) *lane {
	return &lane{
		engine: e, room: semaphore.NewWeighted(int64(e.config.LaneCapacity)), size: int64(e.config.LaneCapacity),
		filled: wait.NewSignal(), enough: wait.NewSignal(), limit: e.config.BatchSize,
	}
}

// close lets the lane end once it has decided its requests.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.filled.Notify()
}

// run decides batches until the lane is closed and empty. When ctx ends, it gives up the rest.
func (l *lane) run(ctx context.Context) {
	for {
		l.engine.config.Outbox.Await(ctx)
		l.gather(ctx)
		done := l.awaitTurn(ctx)
		decided, ended := l.decideBatch(ctx)
		done()
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
	batch = l.checked(l.dropImpatient(batch))
	if len(batch) == 0 {
		return true, false
	}
	left, err := l.engine.decide(ctx, batch)
	if err != nil {
		l.failed(ctx, batch, err)
		return true, false
	}
	l.limit, l.wait = min(2*l.limit, l.engine.config.BatchSize), 0
	if l.costly != nil && len(left) > 0 { // the others were loaded in vain
		l.limit = max(1, len(batch)-len(left))
	}
	l.pace.decided(l.engine.config.Now(), len(batch), turnaroundsOf(batch))
	l.release(without(batch, left)...)
	busy, moved := partition(left, (*request).moves)
	l.handOver(moved)
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
	l.engine.noteFailed(ctx, requests)
	if l.engine.storing.outage() {
		requests = l.dropWakes(requests)
	}
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

// dropWakes answers the wakes that wait for replies, and returns the other requests. They come again.
func (l *lane) dropWakes(requests []*request) []*request {
	others, wakes := partition(requests, (*request).waitsForReplies)
	l.release(wakes...)
	giveUp(wakes, record.ErrUnavailable)
	return others
}

// busyPause is the pause of a lane whose sagas are all being changed by other replicas.
const busyPause = 10 * time.Millisecond
