package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// StoredSaga is a saga as a list or a lookup found it. If Unreadable is non-nil, it wraps ErrUnreadable, and Instance
// holds only what its columns contain; its progress then has only the names of steps, and, from a lookup by id, the parent.
type StoredSaga struct {
	saga.Instance
	Unreadable error
}

// Abandonment closes a saga on which the core cannot decide. The store sets the status, releases the business key and
// writes the history entry.
type Abandonment struct {
	SagaID string
	Actor  string
	Reason string
	Action string // id of the action; kept if the saga is readable
	Sinks  []Sink // of the event
}

// DueSaga is a saga whose wake time has come. Pages of due sagas are in the order of (WakeAt, SagaID).
type DueSaga struct {
	SagaID string
	WakeAt time.Time
}
