package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// StoredSaga is a saga as a list or a lookup found it. If Unreadable is non-nil (it wraps ErrUnreadable), Instance holds
// what its columns say; Steps then have names only.
type StoredSaga struct {
	saga.Instance
	Unreadable error
}

// Abandonment closes a saga that cannot be read. The core cannot decide on it, so the store itself sets the status,
// releases the business key and writes the history entry.
type Abandonment struct {
	SagaID string
	Actor  string
	Reason string
}

// DueSaga is a saga whose time to wake has come. Pages of due sagas are in the order of (WakeAt, SagaID).
type DueSaga struct {
	SagaID string
	WakeAt time.Time
}
