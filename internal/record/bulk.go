package record

import (
	"encoding/json"
	"errors"
	"time"
)

// Conditions of bulk actions. Stores wrap them; callers ask with errors.Is.
var (
	ErrBulkNotFound = errors.New("bulk action not found")
	// ErrBulkNotApplicable means that a bulk action in its present status cannot be continued or cancelled.
	ErrBulkNotApplicable = errors.New("does not apply to the bulk action's status")
	// ErrBulkTooLarge means that a filter selects more than MaxBulkTargets.
	ErrBulkTooLarge = errors.New("the filter selects too many")
	// ErrBulkOver means that a target is not to be decided: it has its outcome, or the bulk action is not running, or is
	// another holder's.
	ErrBulkOver = errors.New("the target of the bulk action is not to be decided")
)

// MaxBulkTargets is how many sagas or dead letters one bulk action may have.
const MaxBulkTargets = 100_000

// BulkKind is what a bulk action is carried out on.
type BulkKind string

// The kinds of bulk actions.
const (
	BulkSagas       BulkKind = "sagas"
	BulkDeadLetters BulkKind = "dead_letters"
)

// BulkStatus is where a bulk action stands.
type BulkStatus string

// The statuses. A bulk action that is stopped or waiting can be continued; what is cancelled or completed is over.
const (
	BulkRunning   BulkStatus = "running"
	BulkWaiting   BulkStatus = "waiting" // its canary is done
	BulkStopped   BulkStatus = "stopped" // StopAfter items were refused or failed
	BulkCancelled BulkStatus = "cancelled"
	BulkCompleted BulkStatus = "completed"
)

// Over reports whether nothing further happens to the bulk action.
func (s BulkStatus) Over() bool { return s == BulkCancelled || s == BulkCompleted }

// BulkAction is one operator action on many targets.
type BulkAction struct {
	ID         string // a ULID
	Kind       BulkKind
	Action     string
	Filter     json.RawMessage // as it was asked for
	Parameters json.RawMessage // of the action, for whoever carries it out
	Reason     string
	Actor      string
	Rate       float64 // targets a second, at most; 0: no limit
	Canary     int     // wait after so many targets; 0: do not
	StopAfter  int     // stop after so many that were refused or failed; 0: do not
	Status     BulkStatus
	CreatedAt  time.Time
	FinishedAt time.Time // zero: it is not over
	Tally      BulkTally
}

// BulkParameters are what an action on a saga needs beside its reason.
type BulkParameters struct {
	Step   string          `json:"step,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
	Patch  json.RawMessage `json:"patch,omitempty"`
}

// BulkTally counts the targets of a bulk action by their outcomes.
type BulkTally struct {
	Matched, Done, Refused, Failed int
}

// Remaining returns how many targets have no outcome.
func (t BulkTally) Remaining() int { return t.Matched - t.Done - t.Refused - t.Failed }

// BulkOutcome is what became of one target.
type BulkOutcome string

// The outcomes of a target.
const (
	BulkDone    BulkOutcome = "done"
	BulkRefused BulkOutcome = "refused" // the action does not apply to the target's state
	BulkFailed  BulkOutcome = "failed"  // it could not be decided
)

// BulkItem is one target of a bulk action.
type BulkItem struct {
	Target  string      // id of the saga or dead letter
	Outcome BulkOutcome // empty: none so far
	Message string      // why it was refused or failed
	At      time.Time   // of the outcome
}

// BulkRef names a target of a bulk action, and who carries the action out.
type BulkRef struct {
	Bulk, Holder, Target string
}

// BulkResult is an outcome that is stored together with what it is the outcome of.
type BulkResult struct {
	BulkRef
	Outcome BulkOutcome
	Message string // why it was refused or failed
}

// Allowed returns how many further targets may be decided before the bulk action has to wait or stop.
func (a *BulkAction) Allowed() int {
	allowed := a.Tally.Remaining()
	decided := a.Tally.Matched - allowed
	if a.Canary > 0 {
		allowed = min(allowed, a.Canary-decided)
	}
	if a.StopAfter > 0 {
		allowed = min(allowed, a.StopAfter-a.Tally.Refused-a.Tally.Failed)
	}
	return max(0, allowed)
}

// Settle moves a running bulk action to the status that follows from its tally.
func (a *BulkAction) Settle(now time.Time) {
	switch {
	case a.Status == BulkCancelled && a.FinishedAt.IsZero():
		a.FinishedAt = now
	case a.Status != BulkRunning:
	case a.Tally.Remaining() == 0:
		a.Status, a.FinishedAt = BulkCompleted, now
	case a.StopAfter > 0 && a.Tally.Refused+a.Tally.Failed >= a.StopAfter:
		a.Status = BulkStopped
	case a.Canary > 0 && a.Tally.Matched-a.Tally.Remaining() >= a.Canary:
		a.Status = BulkWaiting
	}
}

// Continue lets a bulk action that waits or has stopped go on to its end: its canary is over, and what was refused or
// failed so far no longer counts towards StopAfter.
func (a *BulkAction) Continue() error {
	if a.Status != BulkWaiting && a.Status != BulkStopped {
		return ErrBulkNotApplicable
	}
	if a.Status == BulkWaiting {
		a.Canary = 0
	}
	if a.Status == BulkStopped {
		a.StopAfter += a.Tally.Refused + a.Tally.Failed
	}
	a.Status = BulkRunning
	return nil
}

// Cancel ends a bulk action. What is decided already stays.
func (a *BulkAction) Cancel() error {
	if a.Status.Over() {
		return ErrBulkNotApplicable
	}
	a.Status = BulkCancelled
	return nil
}

// BulkTargets selects the targets of a bulk action: the sagas with these ids, or those of the filter; for dead letters
// the same.
type BulkTargets struct {
	IDs         []string
	Sagas       *Filter
	DeadLetters *DeadLetterFilter
}

// DeadLetterFilter selects dead letters. Fields that are nil select all.
type DeadLetterFilter struct {
	Queue          *string
	Reason         *string
	Source         *string
	SagaID         *string
	ReceivedAfter  *time.Time
	ReceivedBefore *time.Time
}
