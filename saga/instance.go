package saga

import (
	"encoding/json"
	"time"
)

// Status is where a saga stands. It follows from the instance's phase and steps; nothing sets it alone.
type Status string

// The statuses of a saga.
const (
	Scheduled    Status = "scheduled"    // starts later
	Running      Status = "running"      // going forward
	Compensating Status = "compensating" // going back
	Stuck        Status = "stuck"        // nothing can move without a person
	Paused       Status = "paused"       // a person stopped it
	Completed    Status = "completed"    // every step succeeded
	Compensated  Status = "compensated"  // all that took effect was undone
	Abandoned    Status = "abandoned"    // an operator closed it as it stood
)

// Terminal says whether a saga of this status has ended.
func (s Status) Terminal() bool { return s == Completed || s == Compensated || s == Abandoned }

// Statuses lists every status, for those who validate or count.
func Statuses() []Status {
	return []Status{Scheduled, Running, Compensating, Stuck, Paused, Completed, Compensated, Abandoned}
}

// StepStatus is where a step stands.
type StepStatus string

// The statuses of a step.
const (
	StepPending            StepStatus = "pending"
	StepRunning            StepStatus = "running"  // a command is out
	StepRetrying           StepStatus = "retrying" // waits for its next attempt
	StepSucceeded          StepStatus = "succeeded"
	StepFailed             StepStatus = "failed"  // a worker said so, finally
	StepUnknown            StepStatus = "unknown" // may have taken effect
	StepSkipped            StepStatus = "skipped"
	StepCompensating       StepStatus = "compensating" // a compensation is out, or waits for its next attempt
	StepCompensated        StepStatus = "compensated"
	StepCompensationFailed StepStatus = "compensation_failed"
)

// Phase is the direction in which an instance moves; Status is derived from it.
type Phase string

// The phases of an instance.
const (
	PhaseScheduled Phase = "scheduled"
	PhaseForward   Phase = "forward"
	PhaseBackward  Phase = "backward"
	PhaseEnded     Phase = "ended"
)

// Instance is one execution of a definition, with its own data. It is a value: Transition takes one and returns
// another. Raw JSON and maps inside it are shared between copies and never written to.
type Instance struct {
	ID          string
	Definition  string
	Version     int
	Key         string
	Priority    uint8
	Labels      map[string]string
	TraceParent string
	CreatedAt   time.Time
	StartAt     time.Time // zero: started at once
	DeadlineAt  time.Time // zero: none

	Status     Status
	Revision   int64
	Data       json.RawMessage
	UpdatedAt  time.Time
	FinishedAt time.Time // zero while not terminal
	// WakeAt is never later than the earliest time at which something is due; zero when nothing is. It may be too
	// early, since it moves later only when it fires: that keeps its index quiet.
	WakeAt    time.Time
	Attention *Attention

	Progress
}

// Progress is the part of an instance that only the core reads: a store keeps it as one JSON document.
type Progress struct {
	Phase          Phase       `json:"phase"`
	PausedByOperator bool        `json:"paused,omitempty"`
	TurnBack       *Failure    `json:"turn_back,omitempty"` // a cancel or deadline that waits for the pivot's outcome
	Failure        *Failure    `json:"failure,omitempty"`   // why the saga went back
	DeadlinePassed bool        `json:"deadline_passed,omitempty"`
	ReopenedFrom   Status      `json:"reopened_from,omitempty"` // the end to return to once a late effect is undone
	Entries        int64       `json:"entries"`                 // seq of the last history entry
	ProgressAt     time.Time   `json:"progress_at"`
	Overdue        bool        `json:"overdue,omitempty"`
	LastAction     string      `json:"last_action,omitempty"` // id of the operator action applied last
	Steps          []StepState `json:"steps"`
}

// StepState is how far one step has come. The order of the states is that of the definition's steps.
type StepState struct {
	Name                 string     `json:"name"`
	Status               StepStatus `json:"status"`
	Attempts             int        `json:"attempts,omitempty"`
	AttemptsForgiven     int        `json:"attempts_forgiven,omitempty"` // attempts before the operator's last retry
	Uncertain            bool       `json:"uncertain,omitempty"`         // the outcome of some attempt is unknown
	TookEffect           bool       `json:"took_effect,omitempty"`       // a worker reported its success
	Oversized            bool       `json:"oversized,omitempty"`         // it did, with an output that the data cannot hold
	LateEffect           bool       `json:"late_effect,omitempty"`       // its success came after the saga's end
	LateCompensation             bool       `json:"late_undo,omitempty"`         // its compensation's success did
	Reopened             bool       `json:"reopened,omitempty"`          // to be undone although the saga had ended
	Round                int        `json:"round,omitempty"`             // of the compensation; 1 unless done once more
	CompensationAttempts int        `json:"compensation_attempts,omitempty"`
	CompensationForgiven int        `json:"compensation_forgiven,omitempty"`

	StartedAt     time.Time       `json:"started_at,omitzero"`
	FinishedAt    time.Time       `json:"finished_at,omitzero"`
	NextAttemptAt time.Time       `json:"next_attempt_at,omitzero"` // set only while it waits to be sent again
	DeadlineAt    time.Time       `json:"deadline_at,omitzero"`     // set only while a command is out
	Output        json.RawMessage `json:"output,omitempty"`
	Error         *StepError      `json:"error,omitempty"`
}

// StepError is what the last failed attempt said.
type StepError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Failure is why a saga turned back.
type Failure struct {
	Step    string `json:"step,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Attention is why a saga needs a person, and since when.
type Attention struct {
	Reason  AttentionReason `json:"reason"`
	Since   time.Time       `json:"since"`
	Step    string          `json:"step,omitempty"`
	Message string          `json:"message"`
}

// AttentionReason is one of the conditions that need a person.
type AttentionReason string

// The reasons for attention, most pressing first.
const (
	CompensationExhausted AttentionReason = "compensation_exhausted"
	PivotUnknown          AttentionReason = "pivot_unknown"
	RetriesExhausted      AttentionReason = "retries_exhausted"
	LateEffect            AttentionReason = "late_effect"
	DeadlineExceeded      AttentionReason = "deadline_exceeded"
	Overdue               AttentionReason = "overdue"
)

// AttentionReasons lists every reason, for those who validate or count.
func AttentionReasons() []AttentionReason {
	return []AttentionReason{CompensationExhausted, PivotUnknown, RetriesExhausted, LateEffect, DeadlineExceeded, Overdue}
}

// commandOut says whether a command of the step is out, so that a reply or a timeout must come.
func (s *StepState) commandOut() bool {
	return s.Status == StepRunning || s.Status == StepCompensating && s.NextAttemptAt.IsZero()
}

// CommandOut returns the id of the command of the saga's step i that is out now, if there is one.
func (in *Instance) CommandOut(i int) (CommandID, bool) {
	s := &in.Steps[i]
	if !s.commandOut() {
		return CommandID{}, false
	}
	if s.Status == StepRunning {
		return CommandID{Saga: in.ID, Step: s.Name, Direction: Execute, Round: 1, Attempt: s.Attempts}, true
	}
	return CommandID{Saga: in.ID, Step: s.Name, Direction: Compensate, Round: s.Round, Attempt: s.CompensationAttempts}, true
}
