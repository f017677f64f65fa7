package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

const (
	firstBackoff = 20 * time.Millisecond
	maxBackoff   = time.Second
	maxConfirmed = 1024 // outbox rows forgotten in one batch
)

// decide brings one batch into the store, however often that has to be tried, and answers every item but those whose
// sagas another replica is changing at the moment: these it returns.
func (e *Engine) decide(ctx context.Context, items []*item) (busy []*item) {
	backoff := firstBackoff
	for {
		if items = impatientLeave(items); len(items) == 0 {
			return nil
		}
		work, err := e.transact(ctx, items)
		if err == nil {
			failpoint.Reach("engine/committed")
			e.config.Committed(len(items))
			return e.conclude(items, work)
		}
		var missing *planMissing
		switch {
		case errors.As(err, &missing):
			err = e.plans.load(ctx, missing)
			if errors.Is(err, record.ErrDefinitionNotFound) {
				return e.split(ctx, items, err)
			}
		case errors.Is(err, record.ErrRejected):
			return e.split(ctx, items, err)
		}
		if err == nil {
			continue
		}
		e.config.Logger.Warn("a batch was not stored, trying again", "events", len(items), "error", err)
		if !e.config.Pause(ctx, backoff) {
			giveUp(items, errors.Join(ErrUnavailable, err))
			return nil
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// split decides the items of a batch that the store will never take one by one, so that only the one at fault fails.
func (e *Engine) split(ctx context.Context, items []*item, err error) (busy []*item) {
	if len(items) > 1 {
		for i := range items {
			busy = append(busy, e.decide(ctx, items[i:i+1])...)
		}
		return busy
	}
	it := items[0]
	e.config.Logger.Error("an event cannot be stored", "saga", it.sagaID, "error", err)
	if it.dead != nil && it.cause != nil {
		// A message whose content the store refuses is put aside with its bytes; it may not come again for ever.
		it.cause, it.keep = nil, false
		it.dead.Reason, it.dead.Message = reasonRejected, "the message's content cannot be stored"
		return e.decide(ctx, items)
	}
	giveUp(items, err)
	return nil
}

// transact tries once to store a batch.
func (e *Engine) transact(ctx context.Context, items []*item) (*batchWork, error) {
	batch := assemble(items)
	batch.Confirmed = e.config.Outbox.TakeConfirmed(e.config.ForgetAt, maxConfirmed)
	var work *batchWork
	err := e.config.Store.Transact(ctx, batch, func(loaded record.Loaded) (record.Changes, error) {
		work = newBatchWork(e.plans, e.config.OverdueAfter, loaded, len(items))
		for _, it := range items {
			if err := work.take(it); err != nil {
				return record.Changes{}, err
			}
		}
		return work.changes()
	})
	if err != nil {
		e.config.Outbox.ReturnConfirmed(batch.Confirmed)
		return nil, fmt.Errorf("store a batch of %d events: %w", len(items), err)
	}
	return work, nil
}

// assemble says what a batch's transaction must load.
func assemble(items []*item) record.Batch {
	var batch record.Batch
	seen := make(map[string]bool, len(items))
	for _, it := range items {
		if it.keep || it.cause == nil && it.dead != nil {
			batch.DeadLetters = append(batch.DeadLetters, *it.dead)
		}
		switch {
		case it.start != nil:
			claim := record.StartClaim{
				SagaID: it.sagaID, Definition: it.start.Definition, Key: it.start.Key,
				IdempotencyKey: it.start.IdempotencyKey, BodyHash: it.start.BodyHash,
				Version: it.plan.Version, Latest: it.start.Version == 0,
			}
			batch.Starts = append(batch.Starts, claim)
			continue
		case it.cause == nil:
			continue
		}
		if !seen[it.sagaID] {
			seen[it.sagaID] = true
			batch.SagaIDs = append(batch.SagaIDs, it.sagaID)
		}
		if _, wakes := it.cause.(saga.Wake); wakes {
			batch.WithOutbox = append(batch.WithOutbox, it.sagaID)
		}
	}
	return batch
}

// conclude does what may only be done after the commit, and returns the items on which nothing was decided.
func (e *Engine) conclude(items []*item, work *batchWork) (busy []*item) {
	e.config.Outbox.Dispatch(work.commands)
	for _, id := range work.order {
		s := work.sagas[id]
		e.timers.set(id, s.instance.WakeAt, work.now)
		if s.changed {
			e.changes.announce(s.instance)
		}
	}
	failpoint.Reach("engine/acknowledging")
	for i, it := range items {
		if work.answers[i].busy {
			busy = append(busy, it)
			continue
		}
		if err := work.answers[i].err; errors.Is(err, record.ErrRejected) {
			e.config.Logger.Error("nothing can be decided on this saga", "saga", it.sagaID, "error", err)
		}
		it.done(work.answers[i])
	}
	return busy
}

// impatientLeave answers the items whose callers have gone, and returns the others.
func impatientLeave(items []*item) []*item {
	stay := make([]*item, 0, len(items))
	for _, it := range items {
		if it.patience != nil && it.patience.Err() != nil {
			it.done(answer{err: errors.Join(ErrUnavailable, it.patience.Err())})
			continue
		}
		stay = append(stay, it)
	}
	return stay
}

func giveUp(items []*item, err error) {
	for _, it := range items {
		it.done(answer{err: err})
	}
}
