package engine

import (
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const reasonUnreadableSaga = "unreadable_saga"

// undecidable answers an event of a saga on which no decision is possible. Messages become dead letters, because the
// saga may be repaired. The store handles an abandon.
func (b *batchState) undecidable(r *request, s *sagaState) answer {
	if action, acts := r.cause.(saga.Action); acts && action.Name == saga.ActionAbandon {
		return b.abandon(r.sagaID, s, action)
	}
	if r.dead != nil && !r.keepDead {
		b.addDeadLetter(r, reasonUnreadableSaga, "no decision is possible on the saga")
	}
	return answer{err: s.fault}
}

func (b *batchState) abandon(id string, s *sagaState, action saga.Action) answer {
	readable := s.instance.ID != ""
	switch {
	case s.changed:
		return answer{busy: true} // store the earlier decisions of this batch first
	case readable && s.instance.Status == saga.Abandoned:
		return answer{instance: s.instance} // by this action, after a commit with an unknown outcome, or before
	case readable && action.IfRevision != 0 && action.IfRevision != s.instance.Revision:
		return s.refuse(saga.RefusedRevisionMoved, "the saga is at revision %d, not %d", s.instance.Revision, action.IfRevision)
	case readable && s.instance.Status.Terminal():
		return s.refuse(saga.RefusedNotApplicable, "abandon does not apply to a saga that is %s", s.instance.Status)
	}
	if !s.abandoned {
		b.abandoned = append(b.abandoned, record.Abandonment{
			SagaID: id, Actor: action.Actor, Reason: action.Reason, Sinks: b.sinks(string(saga.EntryAbandoned)),
		})
		s.abandoned = true
	}
	return answer{instance: s.asAbandoned(id, b.now)}
}

func (s *sagaState) refuse(code, format string, arguments ...any) answer {
	return answer{instance: s.instance, refused: &saga.Refusal{Code: code, Message: fmt.Sprintf(format, arguments...)}}
}

// asAbandoned returns the saga as the store closes it, as far as it is readable.
func (s *sagaState) asAbandoned(id string, now time.Time) saga.Instance {
	if s.instance.ID != "" {
		return record.Abandoned(s.instance, now)
	}
	return saga.Instance{ID: id, Status: saga.Abandoned, FinishedAt: now}
}
