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
	// pollGrace leaves a saga that has just fallen due to the process that remembers it.
	pollGrace = 300 * time.Millisecond
)

// poll wakes what is due in the store and in nobody's memory: sagas of a process that died, and those far ahead.
func (e *Engine) poll(ctx context.Context) {
	for pause := time.Duration(0); wait.For(ctx, pause); {
		pause = e.config.PollEvery
		if more := e.PollStore(ctx); more {
			pause /= 10
		}
	}
}

// PollStore pages once through the sagas that are due and wakes those that this process does not remember; more reports
// whether there were many. Sagas on which nothing can be decided sleep longer every time, and hide none behind them.
func (e *Engine) PollStore(ctx context.Context) (more bool) {
	var last record.DueSaga
	for {
		due, err := e.config.Store.Due(ctx, pollGrace, last, pollLimit)
		if err != nil && ctx.Err() == nil {
			e.warn("poll", "sagas that are due were not found, trying again", "error", err)
		}
		for _, one := range due {
			if !e.timers.remembers(one.SagaID) && !e.quarantine.holds(one.SagaID) {
				e.wake(ctx, one.SagaID, time.Time{})
			}
		}
		if len(due) < pollLimit || ctx.Err() != nil {
			return more
		}
		last, more = due[len(due)-1], true
	}
}

// remembers says whether this process will wake the saga by itself.
func (t *timers) remembers(sagaID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, pending := t.pending[sagaID]
	return pending
}

// forget deletes the outbox rows of commands that are in their queues when too few have gathered for a batch to do it.
func (e *Engine) forget(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		e.ForgetConfirmed(last)
		cancel()
	}
}

// ForgetConfirmed deletes once the outbox rows of commands that are in their queues.
func (e *Engine) ForgetConfirmed(ctx context.Context) {
	confirmed := e.config.Outbox.TakeConfirmed(1, maxConfirmed)
	if len(confirmed) == 0 {
		return
	}
	failpoint.Reach("engine/forgetting")
	if err := e.config.Store.Transact(ctx, record.Batch{Confirmed: confirmed}, noChanges); err != nil {
		e.config.Outbox.ReturnConfirmed(confirmed)
		e.warn("forget", "published commands were not forgotten, trying again", "error", err)
	}
}

func noChanges(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }
