package saga

import (
	"encoding/json"
	"time"
)

// Decision is what follows from one event. Store Next, Entries and Commands in one transaction; commands may leave only
// after the commit.
type Decision struct {
	Next Instance
	// Changed is false if the revision stays: at most WakeAt and the deadlines of commands in the outbox differ.
	Changed  bool
	Commands []Command
	Messages []Message // to other sagas
	// Withdrawn holds commands of Event.HeldBack that must never be sent, also if nothing has changed. Delete them from the outbox
	// in the same transaction, which must fail if one of them has left it.
	Withdrawn []CommandID
	Entries   []Entry
	// Looks holds the positions of steps that have waited long for their child: its end may have been missed.
	Looks []int
	// Ignored is the reason why nothing changed: the event was late, repeated or not due.
	Ignored string
	// OutputFault is the code of the reason why the output of a step that took effect was not merged into the data;
	// empty if it was merged. Keep such a reply for the operator who repairs the saga.
	OutputFault string
	// Refused is the reason why an action was not applied, or why a reply cannot be for this instance. Nothing changed.
	Refused *Refusal
	// Work is what the conditions and schemas took.
	Work Work
}

// Command asks a worker to execute or to compensate a step.
type Command struct {
	ID       CommandID
	Name     string // what the worker does, from the definition
	Queue    string
	Timeout  time.Duration   // of this attempt
	Priority uint8           // in its queue, 0 to 9
	Data     json.RawMessage // the data of the saga at dispatch
	Output   json.RawMessage // the output of the step, if this compensates a step that succeeded
	// Compensates is the idempotency key of the execution that this compensates. Empty if this executes a step, or
	// compensates its first execution.
	Compensates string
	Waited      bool // this compensates a step that waited: no command executed it
}

// Entry is a line of a saga's history. Seq counts from 1 without gaps.
type Entry struct {
	Seq     int64
	At      time.Time
	Type    EntryType
	Step    string // empty: it concerns the saga
	Attempt int    // 0: it concerns no single attempt
	Actor   string // the operator or caller; empty: the orchestrator
	Detail  map[string]any
}

// EntryType names what a history entry records.
type EntryType string

// The types of history entries.
const (
	EntryScheduled             EntryType = "saga.scheduled"
	EntryStarted               EntryType = "saga.started"
	EntryCompleted             EntryType = "saga.completed"
	EntryCompensating          EntryType = "saga.compensating"
	EntryCompensated           EntryType = "saga.compensated"
	EntryStuck                 EntryType = "saga.stuck"
	EntryAbandoned             EntryType = "saga.abandoned"
	EntryPaused                EntryType = "saga.paused"
	EntryResumed               EntryType = "saga.resumed"
	EntryReopened              EntryType = "saga.reopened"
	EntryAcknowledged          EntryType = "saga.acknowledged"
	EntryDataPatched           EntryType = "saga.data_patched"
	EntryRetried               EntryType = "saga.retried"
	EntryCancelRequested       EntryType = "saga.cancel_requested"
	EntryCancelTooLate         EntryType = "saga.cancel_too_late"
	EntryCancelDropped         EntryType = "saga.cancel_dropped"   // an operator retried the pivot that a cancel or a rewind waited for
	EntryRewindRequested       EntryType = "saga.rewind_requested" // it waits for the outcome of the pivot
	EntryRewinding             EntryType = "saga.rewinding"
	EntryRewound               EntryType = "saga.rewound"
	EntryDeadlineExceeded      EntryType = "saga.deadline_exceeded"
	EntryAttention             EntryType = "saga.attention"
	EntryStepDispatched        EntryType = "step.dispatched"
	EntryStepWaits             EntryType = "step.waits"           // a step that waits has begun to
	EntrySignalGiven           EntryType = "step.signal_received" // the step takes it now, or once it waits
	EntryStepDelayed           EntryType = "step.delayed"         // the command waits in the outbox, so its timeout does not run
	EntryStepPublished         EntryType = "step.published"
	EntryStepRedriven          EntryType = "step.redriven" // an operator sent a dead-lettered command again
	EntryStepSucceeded         EntryType = "step.succeeded"
	EntryStepAttemptFailed     EntryType = "step.attempt_failed"
	EntryStepTimedOut          EntryType = "step.timed_out"
	EntryStepLost              EntryType = "step.lost"
	EntryStepFailed            EntryType = "step.failed"
	EntryStepUnknown           EntryType = "step.unknown"
	EntryStepSkipped           EntryType = "step.skipped"
	EntryStepLateEffect        EntryType = "step.late_effect"
	EntryCompensationSent      EntryType = "step.compensation_dispatched"
	EntryCompensationRetry     EntryType = "step.compensation_attempt_failed"
	EntryStepCompensated       EntryType = "step.compensated"
	EntryCompensationExhausted EntryType = "step.compensation_failed"
)

// Refusal is the reason why an event does not apply. Code is one of the Refused constants.
type Refusal struct {
	Code    string
	Message string
}

// Codes of refusals.
const (
	RefusedNotApplicable       = "not_applicable"
	RefusedRevisionMoved       = "revision_moved"
	RefusedUnknownStep         = "unknown_step"
	RefusedDataTooLarge        = "data_too_large"
	RefusedUnknownCommand      = "unknown_command"
	RefusedInvalidOutput       = CodeInvalidOutput
	RefusedUnknownSignal       = "unknown_signal"
	RefusedSignalTaken         = "signal_taken"
	RefusedIdempotencyConflict = "idempotency_conflict"
)

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// EntryTypes returns the types of all history entries.
func EntryTypes() []EntryType {
	return []EntryType{
		EntryScheduled, EntryStarted, EntryCompleted, EntryCompensating, EntryCompensated, EntryStuck, EntryAbandoned, EntryPaused,
		EntryResumed, EntryReopened, EntryAcknowledged, EntryDataPatched, EntryRetried, EntryCancelRequested, EntryCancelTooLate,
		EntryCancelDropped, EntryRewindRequested, EntryRewinding, EntryRewound, EntryDeadlineExceeded, EntryAttention,
		EntryStepDispatched, EntryStepWaits, EntrySignalGiven, EntryStepDelayed, EntryStepPublished, EntryStepRedriven, EntryStepSucceeded, EntryStepAttemptFailed,
		EntryStepTimedOut, EntryStepLost, EntryStepFailed, EntryStepUnknown, EntryStepSkipped, EntryStepLateEffect,
		EntryCompensationSent, EntryCompensationRetry, EntryStepCompensated, EntryCompensationExhausted,
	}
}
