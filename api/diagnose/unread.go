package diagnose

import (
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// ExplainUnread returns the diagnosis of a saga whose state or definition cannot be read, for that reason.
func ExplainUnread(in *saga.Instance, reason string) resource.Why {
	return resource.Why{
		Cause: resource.CauseUnreadable, Since: resource.OptionalTime(in.UpdatedAt), AllowedActions: AllowedUnread(in),
		Message: reason + " The saga does not move until a version that can read it runs, or an operator abandons it.",
		Evidence: resource.Evidence{
			Status: in.Status, Revision: in.Revision, Broker: "ready", Attention: resource.AttentionOf(in.Attention),
		},
	}
}

// AllowedUnread returns the actions that a saga accepts although it cannot be read: abandon, while it has not ended.
func AllowedUnread(in *saga.Instance) []saga.ActionName {
	if in.Status.Terminal() {
		return []saga.ActionName{}
	}
	return []saga.ActionName{saga.ActionAbandon}
}
