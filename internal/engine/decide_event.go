package engine

import (
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func (b *batchState) event(r *request) (answer, error) {
	_, touched := b.sagas[r.sagaID]
	if b.loaded.Busy[r.sagaID] || !touched && b.bytes > stateBytes || b.work > batchWork {
		return answer{busy: true}, nil
	}
	if b.refusedByQueue(r) {
		return answer{inOutbox: true}, nil
	}
	s, err := b.find(r.sagaID)
	if err != nil {
		return answer{}, err
	}
	b.keepLate(r, s)
	switch {
	case s == nil:
		if r.dead != nil && !r.keepDead {
			b.addDeadLetter(r, "unknown_saga", "the saga does not exist")
		}
		return answer{err: record.ErrSagaNotFound}, nil
	case s.fault != nil:
		return b.undecidable(r, s), nil //nolint:nilerr // the fault affects this saga only
	case b.apart(r, s.def):
		return answer{busy: true}, nil
	case r.lost != nil && b.mayStillBeInProgress(r, s):
		return answer{instance: s.instance}, nil
	}
	if why := b.forbidden(r, s); why != "" {
		b.addDeadLetter(r, record.ReasonUserNotAllowed, why)
		return answer{instance: s.instance}, nil
	}
	if _, replied := r.cause.(saga.Reply); replied {
		r.turnaround = b.now.Sub(s.instance.UpdatedAt)
	}
	decision, err := guarded(func() (saga.Decision, error) {
		return s.def.Transition(s.instance, saga.Event{
			At: b.timeFor(r, &s.instance), OverdueAfter: b.overdue, HeldBack: b.loaded.HeldBack[r.sagaID], Cause: b.causeOf(r),
		})
	})
	if _, woken := r.cause.(saga.Wake); woken && decision.Changed {
		s.wakeAt = s.instance.WakeAt
	}
	b.spend(s.def, decision.Work)
	if err == nil {
		err = b.apply(s, decision)
	}
	b.looks = append(b.looks, looksOf(&decision.Next, decision.Looks)...)
	if err != nil {
		s.fault = fmt.Errorf("decide on saga %s: %w: %w", r.sagaID, record.ErrUnreadable, err)
		return b.undecidable(r, s), nil
	}
	switch {
	case r.dead == nil || r.keepDead:
	case decision.Refused != nil:
		b.addDeadLetter(r, decision.Refused.Code, decision.Refused.Message)
	case decision.OutputFault != "":
		b.addDeadLetter(r, decision.OutputFault, "the step took effect, but its output was not taken")
	}
	if r.letter != nil && decision.OutputFault != "" { // the letter holds the only copy of the output
		return s.refuse(saga.RefusedNotApplicable, "the output cannot be merged into the saga's data: patch the data, or skip the step"), nil
	}
	return answer{instance: s.instance, refused: decision.Refused}, nil
}

// causeOf returns the cause of a request, completed with what the transaction has loaded for it.
func (b *batchState) causeOf(r *request) saga.Cause {
	if _, wakes := r.cause.(saga.Wake); wakes {
		return saga.Wake{Unpublished: b.loaded.Unpublished[r.sagaID]}
	}
	return r.cause
}

// timeOf returns the time for an event of the saga. The time of a saga never runs backwards. A saga that is ahead,
// because the clock of the database was, keeps its own time and does not affect others.
func (b *batchState) timeOf(in *saga.Instance) time.Time {
	if in.UpdatedAt.After(b.now) {
		return in.UpdatedAt
	}
	return b.now
}

// timeFor returns the time for the event of a request. If the clock of the database was set back, a saga would wait
// until it has caught up, so the time measured by this process counts too.
func (b *batchState) timeFor(r *request, in *saga.Instance) time.Time {
	now := b.timeOf(in)
	if now.After(b.now) && r.measured.After(now) {
		return r.measured
	}
	return now
}
