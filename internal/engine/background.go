package engine

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	pollLimit   = 1000
	forgetEvery = 100 * time.Millisecond
	// pollGrace leaves a saga that has just fallen due to the process whose timer is about to fire.
	pollGrace = 300 * time.Millisecond
)

// poll wakes sagas that are due in the store but have no timer: those of a dead process, and those that were far ahead.
func (e *Engine) poll(ctx context.Context) {
	for pause := time.Duration(0); wait.For(ctx, pause); {
		pause = e.config.PollEvery
		if more := e.PollStore(ctx); more {
			pause /= 10
		}
	}
}

// PollStore wakes every due saga that has no timer in this process. more reports whether there were many. Sagas in
// quarantine are skipped, so they hide no others.
func (e *Engine) PollStore(ctx context.Context) (more bool) {
	var last record.DueSaga
	for {
		due, err := e.config.Store.Due(ctx, pollGrace, last, pollLimit)
		if err != nil && ctx.Err() == nil {
			e.warn("poll", "cannot poll for due sagas, will retry", "error", err)
		}
		for _, one := range due {
			if !e.timers.remembers(one) && !e.quarantine.holds(one.SagaID) {
				e.wake(ctx, one.SagaID, time.Time{})
			}
		}
		if len(due) < pollLimit || ctx.Err() != nil || e.storing.repliesFirst(e.config.Now()) { // all would wait, each with an alarm
			return more
		}
		last, more = due[len(due)-1], true
	}
}

// remembers reports whether this process has a timer for that time of the saga. One for a later time is from before a change by another
// process, which may be gone.
func (t *timers) remembers(due record.DueSaga) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, pending := t.pending[due.SagaID]
	return pending && !known.wakeAt.After(due.WakeAt)
}

// forget deletes the outbox rows of confirmed commands that are too few for a batch to delete.
func (e *Engine) forget(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		ended = ctx.Err() != nil // also if both were ready: one last try, not one for each tick
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		e.ForgetConfirmed(last)
		cancel()
	}
}

// ForgetConfirmed deletes the outbox rows of confirmed commands once.
func (e *Engine) ForgetConfirmed(ctx context.Context) {
	confirmed := e.config.Outbox.TakeConfirmed(1, maxConfirmed)
	if len(confirmed) == 0 {
		return
	}
	failpoint.Reach("engine/forgetting")
	if err := e.config.Store.Transact(ctx, record.Batch{Confirmed: confirmed}, noChanges); err != nil {
		e.config.Outbox.ReturnConfirmed(confirmed)
		e.warn("forget", "cannot delete published commands from the outbox, will retry", "error", err)
	}
}

func noChanges(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }
