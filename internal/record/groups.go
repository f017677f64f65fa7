package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Group is the sagas that need attention for the same reason, at the same step, with the same error. Step and ErrorCode
// are empty if the attention has none.
type Group struct {
	Definition string
	Reason     saga.AttentionReason
	Step       string
	ErrorCode  string
	Sagas      int64
	Oldest     time.Time // when the first of them began to need attention
	Newest     time.Time // when the last of them did
	Example    string    // id of one of them
}

// AttentionCount is the number of sagas of a definition that need attention for a reason.
type AttentionCount struct {
	Definition string
	Reason     saga.AttentionReason
	Sagas      int64
}

// MaxGroups is the largest number of listed groups, largest first. Groups.Sagas counts the sagas of all groups.
const MaxGroups = 1000

// Groups is the sagas that need attention, grouped by their problem.
type Groups struct {
	Groups []Group
	Sagas  int64
}
