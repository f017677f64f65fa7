package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	firstBackoff = 20 * time.Millisecond
	maxBackoff   = time.Second
	maxConfirmed = 1024 // outbox rows forgotten in one batch
	maxLoads     = 64   // definitions that are loaded for one batch before it counts as failed
)

// decide brings one batch into the store and answers every item but those whose sagas another replica is changing at the
// moment: these it returns. After an error nothing is answered, and whether anything was stored is unknown.
func (e *Engine) decide(ctx context.Context, items []*item) (busy []*item, err error) {
	for range maxLoads {
		work, err := e.transact(ctx, items)
		if err == nil {
			failpoint.Reach("engine/committed")
			e.config.Committed(len(items))
			return e.conclude(items, work), nil
		}
		missing, is := errors.AsType[*planMissing](err)
		switch {
		case errors.Is(err, record.ErrRejected):
			return e.split(ctx, items, err)
		case !is:
			return nil, err
		}
		if err := e.plans.load(ctx, missing); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("a batch needs more than %d definitions that are not loaded", maxLoads)
}

// split decides the items of a batch that the store will never take one by one, so that only the one at fault fails. What
// cannot be stored for another reason is returned as busy: it comes again.
func (e *Engine) split(ctx context.Context, items []*item, err error) (busy []*item, _ error) {
	if len(items) > 1 {
		for i := range items {
			again, err := e.decide(ctx, items[i:i+1])
			if err != nil {
				return append(busy, items[i:]...), nil //nolint:nilerr // what is behind it must not overtake it
			}
			busy = append(busy, again...)
		}
		return busy, nil
	}
	it := items[0]
	e.config.Logger.Error("an event cannot be stored", "saga", it.sagaID, "error", err)
	if it.dead != nil && it.cause != nil {
		// A message whose content the store refuses is put aside with its bytes; it may not come again for ever.
		it.cause, it.keep = nil, false
		explain(it.dead, reasonRejected, "the message's content cannot be stored")
		return e.decide(ctx, items)
	}
	giveUp(items, err)
	return nil, nil
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
		if s.fault != nil || s.abandoned {
			continue
		}
		now := work.timeOf(&s.instance)
		e.timers.set(id, s.instance.WakeAt, now, now.After(work.now))
		e.troubles.over(id)
		if s.changed {
			e.changes.announce(s.instance)
		}
	}
	for _, abandoned := range work.abandoned {
		e.troubles.over(abandoned.SagaID)
	}
	failpoint.Reach("engine/acknowledging")
	for i, it := range items {
		if work.answers[i].busy {
			busy = append(busy, it)
			continue
		}
		if err := work.answers[i].err; errors.Is(err, record.ErrUnreadable) && it.dead != nil {
			e.warn("unreadable/"+it.sagaID, "a message for a saga on which nothing can be decided is kept as a dead letter",
				"saga", it.sagaID, "error", err)
		}
		it.done(work.answers[i])
	}
	return busy
}

func giveUp(items []*item, err error) {
	for _, it := range items {
		it.done(answer{err: err})
	}
}
