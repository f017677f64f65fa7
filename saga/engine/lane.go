package engine

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// manyEvents is how many a batch has of a lane that has a lot to do.
	manyEvents = 8
	// gatherFor is how long such a lane lets the next batch grow.
	gatherFor = 2 * time.Millisecond
)

// lane decides the events of its sagas, one batch after the other: while one is committed, the next gathers. One event
// alone, or a few, do not wait.
type lane struct {
	engine *Engine
	room   *semaphore.Weighted // bounds what waits here
	filled chan struct{}       // has a value when items may not be empty
	enough chan struct{}       // has a value when as many wait as are wanted
	last   int                 // size of the last batch

	mu     sync.Mutex
	items  []*item
	wanted int // how many are waited for; 0: nobody counts
	closed bool
}

func newLane(e *Engine) *lane {
	return &lane{
		engine: e, room: semaphore.NewWeighted(int64(e.config.LaneCapacity)),
		filled: make(chan struct{}, 1), enough: make(chan struct{}, 1),
	}
}

// add puts an item in line. It waits while the lane is full: that is how a slow store slows those who bring events.
func (l *lane) add(ctx context.Context, it *item) error {
	if err := l.room.Acquire(ctx, 1); err != nil {
		return ErrUnavailable
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.room.Release(1)
		return ErrStopped
	}
	l.items = append(l.items, it)
	notify(l.filled)
	if len(l.items) == l.wanted {
		notify(l.enough)
	}
	return nil
}

// notify never waits: one value says it all.
func notify(hint chan struct{}) {
	select {
	case hint <- struct{}{}:
	default:
	}
}

// close lets the lane end once it has decided what it has.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	notify(l.filled)
}

// take returns what waits, up to a batch; ended says that nothing will come any more.
func (l *lane) take() (batch []*item, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.items), l.engine.config.BatchSize)
	batch, l.items = l.items[:n:n], l.items[n:]
	if len(l.items) == 0 {
		l.items = nil // let go of what has been decided
	} else {
		notify(l.filled)
	}
	return batch, l.closed && n == 0
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
			l.last = 0        // who comes to a lane that has nothing to do does not wait
			<-l.filled        // close sees to a value
			runtime.Gosched() // what comes at the same time goes into the same batch
		}
	}
}

// gather lets the next batch grow where the last one was large. On a busy machine what is done once a batch keeps others
// from bringing more, and a batch of twice the size costs little more.
func (l *lane) gather(ctx context.Context) {
	if l.last < manyEvents || !l.want(min(2*l.last, l.engine.config.BatchSize)) {
		return
	}
	patience := time.NewTimer(gatherFor)
	defer patience.Stop()
	select {
	case <-l.enough:
	case <-patience.C:
	case <-ctx.Done():
	}
}

// want has enough told when so many events wait, and is false when it has nothing to wait for.
func (l *lane) want(events int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.enough: // of an earlier wait
	default:
	}
	l.wanted = events
	return len(l.items) > 0 && len(l.items) < events && !l.closed
}

// decideBatch decides what waits, up to a batch.
func (l *lane) decideBatch(ctx context.Context) (decided, ended bool) {
	batch, ended := l.take()
	if len(batch) == 0 {
		return false, ended
	}
	l.last = len(batch)
	busy := l.engine.decide(ctx, batch)
	l.putBack(busy)
	l.room.Release(int64(len(batch) - len(busy)))
	if len(busy) == len(batch) && !l.engine.config.Pause(ctx, busyPause) {
		l.giveUpBusy()
	}
	return true, false
}

// busyPause is how long a lane waits that has nothing but sagas which another replica is changing.
const busyPause = 10 * time.Millisecond

// putBack puts items first in line again, so that the events of a saga stay in their order.
func (l *lane) putBack(busy []*item) {
	if len(busy) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(busy, l.items...)
	notify(l.filled)
}

// giveUpBusy gives up what waits for another replica when there is no time left.
func (l *lane) giveUpBusy() {
	l.mu.Lock()
	items := l.items
	l.items = nil
	l.mu.Unlock()
	giveUp(items, ErrUnavailable)
	l.room.Release(int64(len(items)))
}

// Lanes is how many lanes the engine has; they count from 0.
func (e *Engine) Lanes() int { return len(e.lanes) }

// DecideBatch decides what waits in a lane, up to a batch; it is false when nothing waits there. A lane decides one
// batch at a time.
func (e *Engine) DecideBatch(ctx context.Context, lane int) bool {
	decided, _ := e.lanes[lane].decideBatch(ctx)
	return decided
}
