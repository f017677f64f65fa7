package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Group is all sagas that need attention for the same reason, at the same step, with the same error. Step and ErrorCode
// are empty where the attention has none.
type Group struct {
	Definition string
	Reason     saga.AttentionReason
	Step       string
	ErrorCode  string
	Sagas      int64
	Oldest     time.Time // since when the first of them has needed attention
	Newest     time.Time // since when the last of them has
	Example    string    // id of one of them
}

// MaxGroups is how many groups are listed, largest first. Groups.Sagas counts those of all groups.
const MaxGroups = 1000

// Groups are the sagas that need attention, by what is wrong with them.
type Groups struct {
	Groups []Group
	Sagas  int64
}
