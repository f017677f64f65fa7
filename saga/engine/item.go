package engine

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// item is one thing to be decided and stored: a start, an event of a saga, or a message to be put aside.
type item struct {
	sagaID string
	start  *record.StartRequest
	plan   *saga.Definition   // of a start
	cause  saga.Cause         // of an event
	dead   *record.DeadLetter // the message that brought the event, put aside if it turns out to be meant for no saga
	keep   bool               // dead is put aside whatever the event leads to

	patience context.Context // the caller's; nil: it waits as long as it takes
	done     func(answer)    // called exactly once, after the commit or when the item is given up
}

// answer is what became of an item.
type answer struct {
	instance saga.Instance
	existed  bool
	refused  *saga.Refusal
	busy     bool // nothing was decided: another replica is changing the saga
	err      error
}

// lane decides the events of its sagas, one batch after the other: while one is committed, the next gathers. There is
// no timer, so one event alone does not wait.
type lane struct {
	engine *Engine
	room   *semaphore.Weighted // bounds what waits here
	filled chan struct{}       // has a value when items may not be empty

	mu     sync.Mutex
	items  []*item
	closed bool
}

func newLane(e *Engine) *lane {
	return &lane{
		engine: e, room: semaphore.NewWeighted(int64(e.config.LaneCapacity)), filled: make(chan struct{}, 1),
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
	l.signal()
	return nil
}

func (l *lane) signal() {
	select {
	case l.filled <- struct{}{}:
	default:
	}
}

// close lets the lane end once it has decided what it has.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.signal()
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
		l.signal()
	}
	return batch, l.closed && n == 0
}

// run decides batches until the lane is closed and empty. When ctx ends, what is left is given up.
func (l *lane) run(ctx context.Context) {
	for {
		l.engine.config.Outbox.Await(ctx)
		decided, ended := l.decideBatch(ctx)
		switch {
		case ended:
			return
		case !decided:
			<-l.filled        // close sees to a value
			runtime.Gosched() // what comes at the same time goes into the same batch
		}
	}
}

// decideBatch decides what waits, up to a batch.
func (l *lane) decideBatch(ctx context.Context) (decided, ended bool) {
	batch, ended := l.take()
	if len(batch) == 0 {
		return false, ended
	}
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
	l.signal()
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
