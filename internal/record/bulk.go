package record

import (
	"encoding/json"
	"time"
)

// MaxBulkTargets is the largest number of targets of a bulk action.
const MaxBulkTargets = 100_000

// Limits of the rate of a bulk action, in targets a second.
const (
	MinBulkRate = 0.01
	MaxBulkRate = 1_000_000
)

// BulkKind is the kind of targets of a bulk action.
type BulkKind string

// The kinds of bulk actions.
const (
	BulkSagas       BulkKind = "sagas"
	BulkDeadLetters BulkKind = "dead_letters"
)

// The actions on dead letters.
const (
	BulkRedrive = "redrive"
	BulkDiscard = "discard"
)

// BulkStatus is the state of a bulk action.
type BulkStatus string

// The statuses. A stopped or waiting bulk action can be continued; a cancelled or completed one is over.
const (
	BulkRunning   BulkStatus = "running"
	BulkWaiting   BulkStatus = "waiting" // its canary is done
	BulkStopped   BulkStatus = "stopped" // StopAfter targets were refused or failed
	BulkCancelled BulkStatus = "cancelled"
	BulkCompleted BulkStatus = "completed"
)

// Over reports whether the bulk action has ended.
func (s BulkStatus) Over() bool { return s == BulkCancelled || s == BulkCompleted }

// BulkAction is one action of an operator on many targets.
type BulkAction struct {
	ID         string // a ULID
	Kind       BulkKind
	Action     string
	Filter     json.RawMessage // as requested
	Parameters json.RawMessage // of the action
	Reason     string
	Actor      string
	Scope      Scope   // of the key that created it
	Rate       float64 // most targets per second; 0: no limit
	Canary     int     // number of targets after which it waits; 0: it does not wait
	StopAfter  int     // number of refused or failed targets after which it stops; 0: it does not stop
	StopBase   int     // refused and failed targets at the last Continue: they no longer count towards StopAfter
	// IdempotencyKey names the request, among those of the kind. Empty: none.
	IdempotencyKey string
	RequestHash    []byte // of what the idempotency key stands for; nil: there is no key
	Status         BulkStatus
	CreatedAt      time.Time
	FinishedAt     time.Time // zero: not over
	Tally          BulkTally
}

// Audited is what the audit log says of a new bulk action.
func (a *BulkAction) Audited() map[string]any {
	return map[string]any{"action": a.Action, "on": a.Kind, "filter": a.Filter, "matched": a.Tally.Matched, "parameters": a.Parameters}
}

// AuditedControl names what changed a bulk action to its status.
func (a *BulkAction) AuditedControl() string {
	if a.Status == BulkCancelled {
		return "bulk.cancel"
	}
	return "bulk.continue"
}

// AuditedStatus is what the audit log says of a status of a bulk action.
func AuditedStatus(status BulkStatus) map[string]any { return map[string]any{"status": status} }

// BulkParameters are the parameters of an action on a saga, except for its reason.
type BulkParameters struct {
	Step   string          `json:"step,omitempty"`
	To     string          `json:"to,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
	Patch  json.RawMessage `json:"patch,omitempty"`
	Canary int             `json:"canary,omitempty"` // as requested: Continue clears that of the bulk action
}

// BulkTally counts the targets of a bulk action by their outcomes.
type BulkTally struct {
	Matched, Done, Refused, Failed int
}

// Remaining returns the number of targets without an outcome.
func (t BulkTally) Remaining() int { return t.Matched - t.Done - t.Refused - t.Failed }

// BulkOutcome is the outcome of one target.
type BulkOutcome string

// The outcomes.
const (
	BulkDone    BulkOutcome = "done"
	BulkRefused BulkOutcome = "refused" // the action does not apply to the target
	BulkFailed  BulkOutcome = "failed"  // no decision was possible
)

// BulkItem is one target of a bulk action.
type BulkItem struct {
	Target  string      // id of the saga or dead letter
	Outcome BulkOutcome // empty: none yet
	Message string      // why it was refused or failed
	At      time.Time   // of the outcome
}

// BulkRef names a target of a bulk action, and the replica that carries the action out.
type BulkRef struct {
	Bulk, Holder, Target string
}

// BulkResult is an outcome that is stored in the transaction that it is about.
type BulkResult struct {
	BulkRef
	Outcome BulkOutcome
	Message string // why it was refused or failed
}

// Allowed returns the number of targets that may be decided before the bulk action must wait or stop.
func (a *BulkAction) Allowed() int {
	allowed := a.Tally.Remaining()
	decided := a.Tally.Matched - allowed
	if a.Canary > 0 {
		allowed = min(allowed, a.Canary-decided)
	}
	if a.StopAfter > 0 {
		allowed = min(allowed, a.StopAfter-a.faults())
	}
	return max(0, allowed)
}

// faults returns the number of targets that count towards StopAfter.
func (a *BulkAction) faults() int { return a.Tally.Refused + a.Tally.Failed - a.StopBase }

// Settle sets the status of a running bulk action from its tally.
func (a *BulkAction) Settle(now time.Time) {
	switch {
	case a.Status == BulkCancelled && a.FinishedAt.IsZero():
		a.FinishedAt = now
	case a.Status != BulkRunning:
	case a.Tally.Remaining() == 0:
		a.Status, a.FinishedAt = BulkCompleted, now
	case a.StopAfter > 0 && a.faults() >= a.StopAfter:
		a.Status = BulkStopped
	case a.Canary > 0 && a.Tally.Matched-a.Tally.Remaining() >= a.Canary:
		a.Status = BulkWaiting
	}
}

// Continue resumes a waiting or stopped bulk action: the canary is over, or StopAfter starts to count again. Error:
// ErrBulkNotApplicable.
func (a *BulkAction) Continue() error {
	if a.Status != BulkWaiting && a.Status != BulkStopped {
		return ErrBulkNotApplicable
	}
	if a.Status == BulkWaiting {
		a.Canary = 0
	}
	if a.Status == BulkStopped {
		a.StopBase = a.Tally.Refused + a.Tally.Failed
	}
	a.Status = BulkRunning
	return nil
}

// Cancel ends a bulk action. Decided targets keep their outcomes. Error: ErrBulkNotApplicable.
func (a *BulkAction) Cancel() error {
	if a.Status.Over() {
		return ErrBulkNotApplicable
	}
	a.Status = BulkCancelled
	return nil
}

// BulkTargets selects the targets of a bulk action: by their ids, or by the filter of its kind.
type BulkTargets struct {
	IDs         []string
	Scope       Scope // of IDs
	Sagas       *Filter
	DeadLetters *DeadLetterFilter
}

// DeadLetterFilter selects dead letters that match all non-nil fields.
type DeadLetterFilter struct {
	Queue          *string
	Reason         *string
	Source         *string
	SagaID         *string
	ReceivedAfter  *time.Time
	ReceivedBefore *time.Time
	Scope          Scope // only dead letters of existing sagas of these definitions
}
