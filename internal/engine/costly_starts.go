package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	// startWork is how much work the starts may mean that wait in costly lanes, for those of callers, and for those that come again.
	// What waits longer than its caller was checked in vain.
	startWork = 1500 * time.Millisecond
	// startRoomPause is the pause before a caller looks for room again.
	startRoomPause = 50 * time.Millisecond
)

// costlyStarts bounds the starts of costly definitions.
type costlyStarts struct {
	// checks bounds how many starts are checked at a time whose definition is not known to be costly. The estimate for one of
	// them shows it, and the others need none.
	checks *semaphore.Weighted
	// callers and others bound what waits in the costly lanes, in milliseconds of work. Neither keeps the other out.
	callers, others *semaphore.Weighted
}

func newCostlyStarts() costlyStarts {
	room := func() *semaphore.Weighted { return semaphore.NewWeighted(startWork.Milliseconds()) }
	return costlyStarts{checks: semaphore.NewWeighted(int64(max(1, runtime.NumCPU()/2))), callers: room(), others: room()}
}

// checkStart checks the data of a start by the schema of its definition. If that is costly, the start is checked in its lane.
// Error: record.ErrUnavailable, if ctx ends before.
func (e *Engine) checkStart(ctx context.Context, r *request) error {
	if r.def.DataSchema == nil {
		return nil
	}
	checks := e.costly.starts.checks
	if checks.Acquire(ctx, 1) != nil {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, ctx.Err())
	}
	defer checks.Release(1)
	if e.costly.lane(r.def) != nil {
		r.unchecked = true
		return nil
	}
	return e.check(r, costlyWork)
}

// check checks the data of a start, unless that takes more work. 0: no bound. A defect that the data meets is an error.
func (e *Engine) check(r *request, most saga.Work) error {
	faults, work, checked, err := measured(r.def, r.start.Data, most)
	if err != nil {
		return fmt.Errorf("check the data: %w", err)
	}
	e.costly.noteStart(r.def, work, work)
	r.unchecked = !checked
	if len(faults) > 0 {
		r.refusal = invalidData(faults)
	}
	return nil
}

func measured(def *saga.Definition, data json.RawMessage, most saga.Work) (faults saga.Faults, work saga.Work, checked bool, err error) {
	_, err = guarded(func() (saga.Decision, error) {
		faults, work, checked = def.MeasureData(data, most)
		return saga.Decision{}, nil
	})
	return faults, work, checked, err
}

func invalidData(faults saga.Faults) error {
	if len(faults) == 0 {
		return nil
	}
	return &record.InvalidDataError{Faults: faults}
}

// enter waits until a start may wait in its costly lane, unless it comes again: then there is room or errCostlyFull. Call leave after
// the start is answered.
func (e *Engine) enter(ctx context.Context, r *request) (leave func(), err error) {
	work, is := e.costly.startWork(r.def)
	if !is {
		return func() {}, nil
	}
	room, weight := e.costly.starts.callers, min(max(work, costlyWork), startWork).Milliseconds()
	if r.start.ComesAgain {
		room = e.costly.starts.others
	}
	for !room.TryAcquire(weight) {
		if r.start.ComesAgain {
			return nil, errCostlyFull
		}
		if !e.config.Pause(ctx, startRoomPause) {
			return nil, fmt.Errorf("%w: %w", record.ErrCostly, ctx.Err())
		}
	}
	return func() { room.Release(weight) }, nil
}

// checked checks the starts of a batch that were left to their lane, and returns the batch without those that are refused for good.
// The refusal of one with an idempotency key comes after the search for its saga.
func (l *lane) checked(batch []*request) []*request {
	if !slices.ContainsFunc(batch, func(r *request) bool { return r.unchecked }) {
		return batch
	}
	stay := make([]*request, 0, len(batch))
	for _, r := range batch {
		if !r.unchecked {
			stay = append(stay, r)
			continue
		}
		err := l.engine.check(r, 0)
		if err == nil && r.start.IdempotencyKey == "" {
			err = r.refusal
		}
		if err != nil {
			l.release(r)
			r.done(answer{err: err})
			continue
		}
		stay = append(stay, r)
	}
	return stay
}
