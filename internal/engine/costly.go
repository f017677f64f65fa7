package engine

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	// costlyWork is the work of a decision from which its definition counts as costly.
	costlyWork = 20 * time.Millisecond
	// batchWork is the work of a batch from which its other events wait for the next one.
	batchWork = 100 * time.Millisecond
	// costlyLanes is the number of lanes for sagas of costly definitions. Those of one definition share a lane.
	costlyLanes = 4
	// costlyCapacity is how many of their events may wait. It is far below the number of replies that the broker sends ahead, so
	// that replies to other sagas arrive.
	costlyCapacity = 128
	maxCostly      = 10_000 // definitions that are known to be costly
	// costlyPause is how long a due saga waits that found no room there.
	costlyPause = 5 * time.Second
)

// errCostlyFull means that too many events of costly definitions wait. A message is given back and comes again.
var errCostlyFull = fmt.Errorf("%w, and too many events wait for them", record.ErrCostly)

// errCostlyStart means that a batch has the start of a saga whose definition has turned out to be costly. The claims of its keys
// cannot be taken back alone, so the batch is made again without it.
var errCostlyStart = fmt.Errorf("the definition of a start is costly")

// costly has the lanes of sagas whose conditions or schemas take long, because the other sagas must not wait behind them. A
// definition is costly from its first decision that takes long until the process ends.
type costly struct {
	lanes  []*lane
	logger *slog.Logger
	turns  *semaphore.Weighted // bounds how many decide at a time, so that processors are left for other sagas
	starts costlyStarts

	mu    sync.RWMutex
	known map[missingDefinition]saga.Work // of their costliest start
}

func newCostly(e *Engine) *costly {
	c := &costly{
		logger: e.config.Logger,
		turns:  semaphore.NewWeighted(int64(max(1, runtime.NumCPU()/4))),
		starts: newCostlyStarts(),
		known:  make(map[missingDefinition]saga.Work),
	}
	room := semaphore.NewWeighted(costlyCapacity)
	for range costlyLanes {
		l := newLane(e)
		l.costly, l.room, l.size, l.limit = c, room, costlyCapacity, 1
		c.lanes = append(c.lanes, l)
	}
	return c
}

// IsCostly reports whether the sagas of a definition are decided apart from others, because its conditions or schemas take long.
// Version 0 means the latest that this process knows.
func (e *Engine) IsCostly(name string, version int) bool {
	if version == 0 {
		latest := e.definitions.seen(name)
		return latest != nil && e.costly.lane(latest) != nil
	}
	return e.costly.lane(&saga.Definition{Name: name, Version: version}) != nil
}

// lane returns the lane of a costly definition, or nil if the definition is not costly.
func (c *costly) lane(def *saga.Definition) *lane {
	if _, is := c.startWork(def); !is {
		return nil
	}
	hash := fnv.New32a()
	_, _ = fmt.Fprintf(hash, "%s/%d", def.Name, def.Version) // a hash never fails to write
	return c.lanes[hash.Sum32()%costlyLanes]
}

// startWork returns the most work of a start of a costly definition. It returns false if the definition is not costly.
func (c *costly) startWork(def *saga.Definition) (work saga.Work, is bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	work, is = c.known[missingDefinition{name: def.Name, version: def.Version}]
	return work, is
}

// mark makes a definition costly. It returns false if it was.
func (c *costly) mark(def *saga.Definition, start saga.Work) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	which := missingDefinition{name: def.Name, version: def.Version}
	known, was := c.known[which]
	if !was && len(c.known) >= maxCostly {
		clear(c.known)
	}
	c.known[which] = max(known, start)
	return !was
}

func (c *costly) count() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.known)
}

// spend counts the work of a decision.
func (b *batchState) spend(def *saga.Definition, work time.Duration) {
	b.work += work
	b.engine.costly.note(def, work)
}

// note makes a definition costly whose conditions or schemas took that long.
func (c *costly) note(def *saga.Definition, work time.Duration) { c.noteStart(def, work, 0) }

// noteStart is note for a start, or for the check before it.
func (c *costly) noteStart(def *saga.Definition, work, ofStart time.Duration) {
	if work >= costlyWork && c.mark(def, ofStart) {
		c.logger.Warn("conditions or schemas take long, decides on the sagas apart from others",
			"definition", def.Name, "version", def.Version, "estimate", work)
	}
}

// apart reports whether another lane must decide a request on a saga of that definition. What evaluates nothing stays.
func (b *batchState) apart(r *request, def *saga.Definition) bool {
	if _, published := r.cause.(saga.Published); published || r.anyLane {
		return false
	}
	r.wants = b.engine.costly.lane(def)
	return r.moves()
}

// moves reports whether the request belongs into another lane than the one where it waits.
func (r *request) moves() bool { return r.wants != nil && r.wants != r.in }

// separateStarts returns the starts of a batch that belong into another lane.
func (e *Engine) separateStarts(requests []*request) (rest, starts []*request) {
	for _, r := range requests {
		if r.kind != startSaga {
			rest = append(rest, r)
			continue
		}
		if r.wants == nil && !r.anyLane {
			r.wants = e.costly.lane(r.def)
		}
		if r.moves() {
			starts = append(starts, r)
		} else {
			rest = append(rest, r)
		}
	}
	return rest, starts
}

// handOver moves requests to the costly lanes of their definitions. Other sagas wait behind them here, so it does not wait.
func (l *lane) handOver(requests []*request) {
	l.release(requests...)
	for _, r := range requests {
		if err := r.wants.addAtOnce(r); err != nil {
			r.done(answer{err: err})
		}
	}
}

// addAtOnce is add without waiting.
func (l *lane) addAtOnce(r *request) error {
	r.bytes = r.size()
	if !l.room.TryAcquire(l.weight(r)) {
		return errCostlyFull
	}
	return l.append(r)
}

// awaits reports whether an event of the saga waits in one of the lanes.
func (c *costly) awaits(sagaID string) bool {
	return slices.ContainsFunc(c.lanes, func(l *lane) bool { return l.has(sagaID) })
}

func (l *lane) has(sagaID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.requests, func(r *request) bool { return r.sagaID == sagaID }) || l.isParked(sagaID) != nil
}

func (l *lane) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.requests)
}

// awaitTurn waits until a costly lane may decide a batch. Call done after it.
func (l *lane) awaitTurn(ctx context.Context) (done func()) {
	if l.costly == nil || l.costly.turns.Acquire(ctx, 1) != nil {
		return func() {}
	}
	return func() { l.costly.turns.Release(1) }
}
