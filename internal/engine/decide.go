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
func (e *Engine) decide(ctx context.Context, requests []*request) (busy []*request, err error) {
	for range maxLoads {
		work, err := e.transact(ctx, requests)
		if err == nil {
			failpoint.Reach("engine/committed")
			e.config.Committed(len(requests))
			return e.conclude(requests, work), nil
		}
		missing, is := errors.AsType[*missingDefinition](err)
		switch {
		case errors.Is(err, record.ErrRejected):
			return e.split(ctx, requests, err)
		case !is:
			return nil, err
		}
		if err := e.definitions.load(ctx, missing); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("a batch needs more than %d definitions that are not loaded", maxLoads)
}

// split decides the items of a batch that the store will never take one by one, so that only the one at fault fails. What
// cannot be stored for another reason is returned as busy: it comes again.
func (e *Engine) split(ctx context.Context, requests []*request, err error) (busy []*request, _ error) {
	if len(requests) > 1 {
		for i := range requests {
			again, err := e.decide(ctx, requests[i:i+1])
			if err != nil {
				return append(busy, requests[i:]...), nil //nolint:nilerr // what is behind it must not overtake it
			}
			busy = append(busy, again...)
		}
		return busy, nil
	}
	r := requests[0]
	e.config.Logger.Error("an event cannot be stored", "saga", r.sagaID, "error", err)
	if r.dead != nil && r.kind == applyEvent {
		// A message whose content the store refuses is put aside with its bytes; it may not come again for ever.
		r.kind, r.keepDead = storeDeadLetter, false
		explain(r.dead, reasonRejected, "the message's content cannot be stored")
		return e.decide(ctx, requests)
	}
	giveUp(requests, err)
	return nil, nil
}

// transact tries once to store a batch.
func (e *Engine) transact(ctx context.Context, requests []*request) (*batchState, error) {
	batch := assemble(requests)
	batch.Confirmed = e.config.Outbox.TakeConfirmed(e.config.ForgetAt, maxConfirmed)
	var work *batchState
	err := e.config.Store.Transact(ctx, batch, func(loaded record.Loaded) (record.Changes, error) {
		work = newBatchState(e.definitions, e.config.OverdueAfter, loaded, len(requests))
		for _, r := range requests {
			if err := work.take(r); err != nil {
				return record.Changes{}, err
			}
		}
		return work.changes()
	})
	if err != nil {
		e.config.Outbox.ReturnConfirmed(batch.Confirmed)
		return nil, fmt.Errorf("store a batch of %d events: %w", len(requests), err)
	}
	return work, nil
}

// assemble says what a batch's transaction must load.
func assemble(requests []*request) record.Batch {
	var batch record.Batch
	seen := make(map[string]bool, len(requests))
	for _, r := range requests {
		if r.keepDead || r.kind == storeDeadLetter {
			batch.DeadLetters = append(batch.DeadLetters, *r.dead)
		}
		switch r.kind {
		case startSaga:
			claim := record.StartClaim{
				SagaID: r.sagaID, Definition: r.start.Definition, Key: r.start.Key,
				IdempotencyKey: r.start.IdempotencyKey, BodyHash: r.start.BodyHash,
				Version: r.def.Version, Latest: r.start.Version == 0,
			}
			batch.Starts = append(batch.Starts, claim)
			continue
		case storeDeadLetter:
			continue
		}
		if !seen[r.sagaID] {
			seen[r.sagaID] = true
			batch.SagaIDs = append(batch.SagaIDs, r.sagaID)
		}
		if _, wakes := r.cause.(saga.Wake); wakes {
			batch.WithOutbox = append(batch.WithOutbox, r.sagaID)
		}
	}
	return batch
}

// conclude does what may only be done after the commit, and returns the items on which nothing was decided.
func (e *Engine) conclude(requests []*request, work *batchState) (busy []*request) {
	e.config.Outbox.Dispatch(work.commands)
	for _, id := range work.order {
		s := work.sagas[id]
		if s.fault != nil || s.abandoned {
			continue
		}
		now := work.timeOf(&s.instance)
		e.timers.set(id, s.instance.WakeAt, now, now.After(work.now))
		e.quarantine.release(id)
		if s.changed {
			e.watchers.announce(s.instance)
		}
	}
	for _, abandoned := range work.abandoned {
		e.quarantine.release(abandoned.SagaID)
	}
	failpoint.Reach("engine/acknowledging")
	for i, r := range requests {
		if work.answers[i].busy {
			busy = append(busy, r)
			continue
		}
		if err := work.answers[i].err; errors.Is(err, record.ErrUnreadable) && r.dead != nil {
			e.warn("unreadable/"+r.sagaID, "a message for a saga on which nothing can be decided is kept as a dead letter",
				"saga", r.sagaID, "error", err)
		}
		r.done(work.answers[i])
	}
	return busy
}

func giveUp(requests []*request, err error) {
	for _, r := range requests {
		r.done(answer{err: err})
	}
}
