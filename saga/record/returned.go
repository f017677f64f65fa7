package record

import (
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Returned is a command that the broker gave back: there is no such queue. It is tried again after RetryAfter.
type Returned struct {
	Command    saga.CommandID
	Reason     string // for people
	RetryAfter time.Duration
}

// ErrPageNotFound means that Page.After is no item of the list, or none any more: start at the first page again.
var ErrPageNotFound = errors.New("page not found")
