package diagnose

import (
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// ExplainUnread returns the diagnosis of a saga whose state or definition cannot be read, for that reason.
func ExplainUnread(in *saga.Instance, reason string) resource.Why {
	why := resource.Why{
		Cause: resource.CauseUnreadable, Since: resource.OptionalTime(in.UpdatedAt), AllowedActions: AllowedUnread(in),
		Message: reason + " The saga does not move until a version that can read it runs, or an operator abandons it.",
		Evidence: resource.Evidence{
			Status: in.Status, Revision: in.Revision, Broker: "ready", Attention: resource.AttentionOf(in.Attention),
		},
	}
	switch ended := in.Status.Terminal(); {
	case ended && in.Attention == nil:
		why.Cause, why.Message, why.Since = resource.CauseDone, doneMessage(in.Status), resource.OptionalTime(in.FinishedAt)
	case ended:
		why.Message = reason + " The saga has ended. What needs attention can be acknowledged once a version that can read it runs."
	}
	return why
}

// ExplainElsewhere returns the diagnosis of a saga that another replica can read, and this one cannot for that reason. It names no
// action: the saga goes on.
func ExplainElsewhere(in *saga.Instance, reason string) resource.Why {
	why := ExplainUnread(in, reason)
	why.AllowedActions = []saga.ActionName{}
	if why.Cause == resource.CauseUnreadable {
		why.Message = reason + " Replicas that have the key go on with the saga: ask one of them, and do not abandon the saga because of this."
	}
	return why
}

// AllowedUnread returns the actions that a saga accepts although it cannot be read: abandon, while it has not ended.
func AllowedUnread(in *saga.Instance) []saga.ActionName {
	if in.Status.Terminal() {
		return []saga.ActionName{}
	}
	return []saga.ActionName{saga.ActionAbandon}
}

// WouldUnread describes what an action would do to a saga on which the core cannot decide, for that reason, or why it would be
// refused.
func WouldUnread(in *saga.Instance, cause saga.Cause, reason string) (would, refused string) {
	action, is := cause.(saga.Action)
	switch abandons := is && action.Name == saga.ActionAbandon; {
	case abandons && !in.Status.Terminal():
		return "close the saga in its present state, although it cannot be read", ""
	case abandons:
		return "", "abandon does not apply to a saga that is " + string(in.Status)
	case in.Status.Terminal():
		return "", reason + ", and it has ended"
	default:
		return "", reason + ", so it can only be abandoned"
	}
}
