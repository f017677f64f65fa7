package engine

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func (b *batchState) start(r *request) (answer, error) {
	if made, here := b.sagas[r.sagaID]; here { // the same start twice, because its row or letter was read again
		return answer{instance: made.instance}, nil
	}
	switch outcome := b.loaded.Starts[r.sagaID]; outcome.Kind {
	case record.StartExists:
		return b.existing(outcome, r.sagaID), nil
	case record.StartConflict:
		return answer{err: record.ErrIdempotencyConflict}, nil
	case record.StartGone:
		return answer{err: &record.SagaGoneError{SagaID: outcome.Existing}}, nil
	case record.StartKeyInUse:
		return answer{err: &record.KeyInUseError{SagaID: outcome.Existing}}, nil
	case record.StartUndefined:
		return answer{err: record.ErrDefinitionNotFound}, nil
	case record.StartDisabled:
		return answer{err: record.ErrDefinitionDisabled}, nil
	}
	def, err := b.latest(r)
	switch {
	case err != nil:
		return answer{}, err
	case b.apart(r, def):
		return answer{}, errCostlyStart
	}
	if err := b.refusalUnder(r, def); err != nil {
		return answer{}, fmt.Errorf("%w: %w", record.ErrRejected, err)
	}
	decision, err := guarded(func() (saga.Decision, error) {
		return def.Start(saga.Start{
			ID: r.sagaID, At: b.now, OverdueAfter: b.overdue, Key: r.start.Key, Data: r.start.Data,
			Priority: r.start.Priority, Labels: r.start.Labels, StartAt: r.start.StartAt, Deadline: r.start.Deadline,
			TraceParent: r.start.TraceParent, Actor: r.start.Actor, Parent: r.start.Parent, Unwound: r.start.Unwound,
		})
	})
	s := &sagaState{def: def, created: true}
	if err == nil {
		err = b.apply(s, decision)
	}
	if err != nil {
		// The claims of its keys cannot be rolled back alone.
		return answer{}, fmt.Errorf("decide the start of saga %s: %w: %w", r.sagaID, record.ErrRejected, err)
	}
	b.add(r.sagaID, s)
	b.work += decision.Work
	b.engine.costly.noteStart(def, decision.Work, decision.Work)
	return answer{instance: s.instance}, b.auditStart(r, &s.instance)
}

// refusalUnder returns why a definition does not allow a start; nil if it does. The one that was checked before the batch may
// not be the latest any more.
func (b *batchState) refusalUnder(r *request, def *saga.Definition) error {
	if def == r.def || r.start.Unwound {
		return r.refusal
	}
	faults, work, _, err := measured(def, r.start.Data, 0)
	b.spend(def, work)
	return cmp.Or(err, invalidData(faults))
}

// latest returns the definition of a start: a newer one than requested if it was registered in the meantime.
func (b *batchState) latest(r *request) (*saga.Definition, error) {
	newer := b.loaded.Newer[r.def.Name]
	if r.start.Version != 0 || newer <= r.def.Version {
		return r.def, nil
	}
	def, err := b.definitions.get(r.def.Name, newer)
	if errors.Is(err, record.ErrUnreadable) {
		return nil, fmt.Errorf("decide the start of saga %s: %w: %w", r.sagaID, record.ErrRejected, err)
	}
	return def, err
}

// existing answers a start whose saga exists: stored before, or by an earlier request of this batch. A saga with the
// same id is this very start, after a commit whose outcome was unknown.
func (b *batchState) existing(outcome record.StartOutcome, ownID string) answer {
	a := answer{instance: outcome.Instance, existed: outcome.Existing != ownID}
	if made, here := b.sagas[outcome.Existing]; here {
		a.instance = made.instance
	}
	return a
}
