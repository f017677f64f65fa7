package saga

import (
	"encoding/json"
	"time"
)

// Status is the state of a saga. It is derived from the phase and the steps, and never set alone.
type Status string

// The statuses of a saga.
const (
	Scheduled    Status = "scheduled"    // starts later
	Running      Status = "running"      // in its forward phase
	Compensating Status = "compensating" // in its backward phase
	Stuck        Status = "stuck"        // cannot move without an operator
	Paused       Status = "paused"       // an operator paused it
	Completed    Status = "completed"    // every step succeeded
	Compensated  Status = "compensated"  // everything that took effect was compensated
	Abandoned    Status = "abandoned"    // an operator closed it as it was
)

// Terminal reports whether a saga with this status has ended.
func (s Status) Terminal() bool { return s == Completed || s == Compensated || s == Abandoned }

// Statuses returns every status.
func Statuses() []Status {
	return []Status{Scheduled, Running, Compensating, Stuck, Paused, Completed, Compensated, Abandoned}
}

// StepStatus is the state of a step.
type StepStatus string

// The statuses of a step.
const (
	StepPending            StepStatus = "pending"
	StepRunning            StepStatus = "running"  // a command is out, or the step waits for what it is there to wait for
	StepRetrying           StepStatus = "retrying" // waits for its next attempt
	StepSucceeded          StepStatus = "succeeded"
	StepFailed             StepStatus = "failed"  // a worker reported a final failure
	StepUnknown            StepStatus = "unknown" // may have taken effect
	StepSkipped            StepStatus = "skipped"
	StepCompensating       StepStatus = "compensating" // a compensation is out, or waits for its next attempt
	StepCompensated        StepStatus = "compensated"
	StepCompensationFailed StepStatus = "compensation_failed"
)

// Phase is the direction in which an instance moves. The status is derived from it.
type Phase string

// The phases of an instance.
const (
	PhaseScheduled Phase = "scheduled"
	PhaseForward   Phase = "forward"
	PhaseBackward  Phase = "backward"
	PhaseEnded     Phase = "ended"
)

// Instance is one execution of a definition, with its own data. It is a value: Transition takes one and returns
// another. Copies share raw JSON and maps, and nothing writes to them.
type Instance struct {
	ID          string // a ULID
	Definition  string
	Version     int    // of the definition
	Key         string // business key, held by one unfinished saga of the definition; empty: none
	Priority    uint8  // of its commands in their queues, 0 to 9
	Labels      map[string]string
	TraceParent string // W3C trace context of the start; empty: none
	CreatedAt   time.Time
	StartAt     time.Time // zero: it started at once
	DeadlineAt  time.Time // zero: none

	Status     Status
	Revision   int64           // grows by one with every change, from 1
	Data       json.RawMessage // a JSON object
	UpdatedAt  time.Time
	FinishedAt time.Time // zero until the saga ends
	// WakeAt is the time of the next wake; zero if nothing will be due. It may be too early but never too late, because
	// it moves later only when it fires. That saves updates of its index.
	WakeAt    time.Time
	Attention *Attention // nil: no operator is needed

	Progress
}

// Progress is the part of an instance that only the core reads. Stores keep it as one JSON document.
type Progress struct {
	Phase            Phase       `json:"phase"`
	Parent           *Parent     `json:"parent,omitempty"` // nil: the saga is not a child
	PausedByOperator bool        `json:"paused,omitempty"`
	TurnBack         *Failure    `json:"turn_back,omitempty"` // a cancel, a rewind or a passed deadline that waits for the outcome of the pivot
	Rewind           *Rewind     `json:"rewind,omitempty"`    // nil: the saga is not being rewound
	Failure          *Failure    `json:"failure,omitempty"`   // why the saga turned back
	DeadlinePassed   bool        `json:"deadline_passed,omitempty"`
	ReopenedFrom     Status      `json:"reopened_from,omitempty"` // the status to return to after the late effect is compensated
	Entries          int64       `json:"entries"`                 // seq of the last history entry
	ProgressAt       time.Time   `json:"progress_at"`
	Overdue          bool        `json:"overdue,omitempty"`
	LastAction       string      `json:"last_action,omitempty"` // id of the last operator action applied
	Hidden           []Pointer   `json:"hidden,omitempty"`      // to what is sensitive in the data because a child's definition says so
	Steps            []StepState `json:"steps"`
}

// StepState is the progress of one step. The states are in the order of the steps of the definition.
type StepState struct {
	Name                 string     `json:"name"`
	Status               StepStatus `json:"status"`
	Attempts             int        `json:"attempts,omitempty"`
	AttemptsForgiven     int        `json:"attempts_forgiven,omitempty"` // attempts before the last retry of an operator
	Uncertain            bool       `json:"uncertain,omitempty"`         // the outcome of some attempt is unknown
	TookEffect           bool       `json:"took_effect,omitempty"`       // a worker reported success
	Oversized            bool       `json:"oversized,omitempty"`         // a worker reported success, with an output that the data cannot hold
	EffectKnown          bool       `json:"effect_known,omitempty"`      // it took effect, and was retried for its output
	LateEffect           bool       `json:"late_effect,omitempty"`       // the success came after the end of the saga
	LateCompensation     bool       `json:"late_undo,omitempty"`         // the success of the compensation came after the end of the saga
	Reopened             bool       `json:"reopened,omitempty"`          // being compensated after the end of the saga
	EarlierEffect        int        `json:"earlier_effect,omitempty"`    // the execution from before a rewind that took effect, unseen by its compensation; 0: none
	Compensating         int        `json:"compensating,omitempty"`      // the execution to compensate; 0: the last one
	Unsettled            []int      `json:"unsettled,omitempty"`         // rounds of executions before a rewind that may still report a first success
	Rewinds              int        `json:"rewinds,omitempty"`           // how often a rewind has reset the step after it had run
	Round                int        `json:"round,omitempty"`             // of the compensation; above 1 after a rewind or a late success
	CompensationAttempts int        `json:"compensation_attempts,omitempty"`
	CompensationForgiven int        `json:"compensation_forgiven,omitempty"`

	Waiting  Wait         `json:"waiting,omitempty"`  // set while the step waits instead of having a command out
	Children []string     `json:"children,omitempty"` // that the step has started; the last one belongs to its last execution
	Signal   *GivenSignal `json:"signal,omitempty"`   // given to the step; nil: not yet
	// EarlierSignals are those given before the last retries and rewinds, without their content: they count no more.
	EarlierSignals []GivenSignal `json:"earlier_signals,omitempty"`
	// ChildRevision is the revision of the last child at the end that the step knows of; 0: it knows of none.
	ChildRevision int64 `json:"child_revision,omitempty"`

	StartedAt     time.Time       `json:"started_at,omitzero"`
	FinishedAt    time.Time       `json:"finished_at,omitzero"`
	NextAttemptAt time.Time       `json:"next_attempt_at,omitzero"` // set only while the step waits for its next attempt
	DeadlineAt    time.Time       `json:"deadline_at,omitzero"`     // set only while a command is out or the step waits
	Output        json.RawMessage `json:"output,omitempty"`
	Error         *StepError      `json:"error,omitempty"`
}

// StepError is the error of the last failed attempt.
type StepError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Failure is the reason why a saga turned back.
type Failure struct {
	Step    string `json:"step,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Attention is the reason why a saga needs an operator, and since when.
type Attention struct {
	Reason  AttentionReason `json:"reason"`
	Since   time.Time       `json:"since"`
	Step    string          `json:"step,omitempty"`
	Message string          `json:"message"`
}

// AttentionReason is a condition that needs an operator.
type AttentionReason string

// The reasons for attention, most pressing first.
const (
	CompensationExhausted AttentionReason = "compensation_exhausted"
	PivotUnknown          AttentionReason = "pivot_unknown"
	RetriesExhausted      AttentionReason = "retries_exhausted"
	StepFailure           AttentionReason = "step_failed" // with the failure policy Park
	LateEffect            AttentionReason = "late_effect"
	InvalidOutput         AttentionReason = "invalid_output" // of a pivot or a retriable step, which took effect
	DeadlineExceeded      AttentionReason = "deadline_exceeded"
	Overdue               AttentionReason = "overdue"
)

// AttentionReasons returns every reason, most pressing first.
func AttentionReasons() []AttentionReason {
	return []AttentionReason{CompensationExhausted, PivotUnknown, InvalidOutput, RetriesExhausted, StepFailure, LateEffect, DeadlineExceeded, Overdue}
}

// Rewind is a rewind in progress: the steps from To on are compensated, and then the saga goes forward again.
type Rewind struct {
	To    string          `json:"to"`
	Patch json.RawMessage `json:"patch,omitempty"` // merged into the data when the saga goes forward again; nil: none
}

// execution returns the round of the step's execution.
func (s *StepState) execution() int { return s.Rewinds + 1 }

// commandOut reports whether a command of the step is out: sent, and neither answered nor timed out.
func (s *StepState) commandOut() bool {
	return s.Status == StepRunning && s.Waiting == NoWait ||
		s.Status == StepCompensating && s.Waiting == NoWait && s.NextAttemptAt.IsZero()
}

// CommandOut returns the id of the command of step i that is out: sent, and neither answered nor timed out.
func (in *Instance) CommandOut(i int) (CommandID, bool) {
	s := &in.Steps[i]
	if !s.commandOut() {
		return CommandID{}, false
	}
	if s.Status == StepRunning {
		return CommandID{Saga: in.ID, Step: s.Name, Direction: Execute, Round: s.execution(), Attempt: s.Attempts}, true
	}
	return CommandID{Saga: in.ID, Step: s.Name, Direction: Compensate, Round: s.Round, Attempt: s.CompensationAttempts}, true
}
