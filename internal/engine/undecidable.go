package engine

import (
	"errors"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// undecidable answers an event of a saga on which no decision is possible. Messages become dead letters, because the
// saga may be repaired, unless another replica can read it. The store handles an abandon.
func (b *batchState) undecidable(r *request, s *sagaState) answer {
	if action, acts := r.cause.(saga.Action); acts && action.Name == saga.ActionAbandon {
		return b.abandon(r, s, action)
	}
	if r.dead != nil && !r.keepDead && errors.Is(s.fault, record.ErrPayloadKeys) {
		return answer{elsewhere: true}
	}
	if r.dead != nil && !r.keepDead {
		b.addDeadLetter(r, record.ReasonUnreadableSaga, "no decision is possible on the saga")
	}
	switch cause := r.cause.(type) {
	case saga.Reply:
		b.answered = append(b.answered, cause.Command)
	case saga.Lost:
		if r.lost == nil || !b.mayStillBeInProgress(r, s) {
			b.answered = append(b.answered, cause.Command)
		}
	}
	return answer{instance: s.instance, err: s.fault}
}

// abandon needs only the columns of the saga: its status, and its revision.
func (b *batchState) abandon(r *request, s *sagaState, action saga.Action) answer {
	status := s.instance.Status
	switch {
	case s.changed:
		return answer{busy: true} // store the earlier decisions of this batch first
	case status == saga.Abandoned && (r.mayHaveAbandoned || action.ID != "" && action.ID == s.instance.LastAction):
		return answer{instance: s.instance} // by this action, after a commit with an unknown outcome
	case action.IfRevision != 0 && action.IfRevision != s.instance.Revision:
		return s.refuse(saga.RefusedRevisionMoved, "the saga is at revision %d, not %d", s.instance.Revision, action.IfRevision)
	case status.Terminal():
		return s.refuse(saga.RefusedNotApplicable, "abandon does not apply to a saga that is %s", status)
	}
	progress := s.instance.Progress
	next := record.Abandoned(s.instance, action.ID, b.now) // as the store closes it
	if progress.Phase == "" {
		next.Progress = progress // it was not read, so it stays
	}
	if err := b.tellParent(&next); err != nil {
		return answer{instance: s.instance, err: err}
	}
	b.abandoned = append(b.abandoned, record.Abandonment{
		SagaID: r.sagaID, Actor: action.Actor, Reason: action.Reason, Action: action.ID, Sinks: b.sinks(string(saga.EntryAbandoned)),
	})
	b.abandoning = append(b.abandoning, r)
	s.abandoned = true
	s.instance = next
	return answer{instance: s.instance}
}

// tellParent tells the parent of a saga that the store abandons, as the core does for all others.
func (b *batchState) tellParent(in *saga.Instance) error {
	if in.Parent == nil {
		return nil
	}
	message, err := wire.EncodeMessage(in, in.EndedMessage())
	if err == nil {
		b.commands = append(b.commands, message)
	}
	return err
}

func (s *sagaState) refuse(code, format string, arguments ...any) answer {
	return answer{instance: s.instance, refused: &saga.Refusal{Code: code, Message: fmt.Sprintf(format, arguments...)}}
}
