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
	maxConfirmed = 1024 // outbox rows deleted in one batch
	maxLoads     = 64   // definitions loaded for one batch before it counts as failed
)

// decide stores one batch and answers its requests. It returns the requests that it leaves, to be decided later: another replica
// is changing their sagas, or the batch was too much, or their lane is another one. On an error it answers none, and whether the
// batch was stored is unknown.
func (e *Engine) decide(ctx context.Context, requests []*request) (left []*request, err error) {
	starts := []*request(nil) // of definitions that turned out to be costly
	for range maxLoads {
		state, err := e.transact(ctx, requests)
		if err == nil {
			failpoint.Reach("engine/committed")
			e.noteStored(state)
			e.config.Committed(Commit{Events: len(requests), Stored: state.published, Sagas: state.decided})
			return append(e.conclude(requests, state), starts...), nil
		}
		missing, is := errors.AsType[*missingDefinition](err)
		switch {
		case errors.Is(err, errCostlyStart):
			var moved []*request
			requests, moved = e.separateStarts(requests)
			starts = append(starts, moved...)
			if len(requests) == 0 {
				return starts, nil
			}
			continue
		case errors.Is(err, record.ErrRejected):
			left, err := e.split(ctx, requests, err)
			return append(left, starts...), err
		case !is:
			return nil, err
		}
		if err := e.definitions.load(ctx, missing); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("a batch needs more than %d definitions that are not loaded or are costly", maxLoads)
}

// split decides the requests of a batch that the store rejects one by one, so that only the one at fault fails.
// Requests that cannot be stored for another reason are left and come again.
func (e *Engine) split(ctx context.Context, requests []*request, err error) (left []*request, _ error) {
	if len(requests) > 1 {
		for i := range requests {
			again, err := e.decide(ctx, requests[i:i+1])
			if err != nil {
				return append(left, requests[i:]...), nil //nolint:nilerr // later requests must not overtake this one
			}
			left = append(left, again...)
		}
		return left, nil
	}
	r := requests[0]
	if startRefusal(err) == record.ReasonRejected { // else the start itself is at fault, and its caller knows
		e.config.Logger.Error("the store rejects an event", "saga", r.sagaID, "error", err)
	}
	if r.dead != nil && r.kind == applyEvent {
		// Dead-letter the message with its raw bytes, or it would be redelivered forever.
		r.kind, r.keepDead = storeDeadLetter, false
		explain(r.dead, record.ReasonRejected, "the message's content cannot be stored")
		return e.decide(ctx, requests)
	}
	giveUp(requests, err)
	return nil, nil
}

// transact tries once to store a batch.
func (e *Engine) transact(ctx context.Context, requests []*request) (*batchState, error) {
	batch := assemble(requests)
	batch.Confirmed = e.config.Outbox.TakeConfirmed(e.config.ForgetAt, maxConfirmed)
	var state *batchState
	err := e.config.Store.Transact(ctx, batch, func(loaded record.Loaded) (record.Changes, error) {
		state = newBatchState(e, loaded, len(requests))
		for _, r := range requests {
			if err := state.take(r); err != nil {
				return record.Changes{}, err
			}
		}
		e.config.Outbox.Hold(state.commands)
		e.config.Outbox.Hold(state.redriven)
		return state.changes(batch.DeadLetters)
	})
	if err != nil {
		e.config.Outbox.ReturnConfirmed(batch.Confirmed)
		if state != nil {
			for _, r := range state.abandoning {
				r.mayHaveAbandoned = true
			}
		}
		return nil, fmt.Errorf("store a batch of %d events: %w", len(requests), err)
	}
	return state, nil
}

// assemble returns what the transaction of a batch must load.
func assemble(requests []*request) record.Batch {
	var batch record.Batch
	seen := make(map[string]bool, len(requests))
	for _, r := range requests {
		if r.bulk != nil {
			batch.Bulk = append(batch.Bulk, *r.bulk)
		}
		if r.redrives {
			batch.Redrives = append(batch.Redrives, r.letter.ID)
		}
		if r.keepDead && !r.lost.decidedLater() || r.kind == storeDeadLetter {
			batch.DeadLetters = append(batch.DeadLetters, *r.dead)
		}
		switch r.kind {
		case startSaga:
			claim := record.StartClaim{
				SagaID: r.sagaID, Definition: r.start.Definition, Key: r.start.Key,
				IdempotencyKey: r.start.IdempotencyKey, BodyHash: r.start.BodyHash,
				Version: r.def.Version, Latest: r.start.Version == 0, Child: r.start.Parent != nil,
			}
			batch.Starts = append(batch.Starts, claim)
			continue
		case storeDeadLetter, discardLetter, settleTarget:
			continue
		}
		if !seen[r.sagaID] {
			seen[r.sagaID] = true
			batch.SagaIDs = append(batch.SagaIDs, r.sagaID)
		}
		_, woken := r.cause.(saga.Wake)
		_, acted := r.cause.(saga.Action)
		if woken || acted || r.lost != nil && r.lost.overflow {
			batch.WithOutbox = append(batch.WithOutbox, r.sagaID)
		}
	}
	return batch
}

// conclude does what must wait for the commit, and returns the requests that were left.
func (e *Engine) conclude(requests []*request, state *batchState) (left []*request) {
	e.config.Outbox.Dispatch(state.commands)
	e.config.Outbox.Dispatch(state.redriven)
	ended := answered(requests)
	for _, id := range state.order {
		s := state.sagas[id]
		if s.fault != nil || s.abandoned {
			continue
		}
		now := state.timeOf(&s.instance)
		e.timers.set(id, s.instance.WakeAt, now, now.After(state.now))
		e.quarantine.release(id)
		if s.changed {
			e.watchers.announce(&s.instance)
		}
		if e.mayWithdraw(ended, s) {
			e.timers.set(id, now, now, false)
		}
	}
	for _, abandoned := range state.abandoned {
		e.quarantine.release(abandoned.SagaID)
	}
	e.wantLooks(state.looks)
	failpoint.Reach("engine/acknowledging")
	for i, r := range requests {
		if state.answers[i].busy {
			left = append(left, r)
			continue
		}
		if err := state.answers[i].err; errors.Is(err, record.ErrUnreadable) && r.dead != nil {
			e.warn("unreadable/"+r.sagaID, "dead-lettered a message, cannot decide on its saga",
				"saga", r.sagaID, "error", err)
		}
		r.done(state.answers[i])
	}
	return left
}

func giveUp(requests []*request, err error) {
	for _, r := range requests {
		r.done(answer{err: err})
	}
}
