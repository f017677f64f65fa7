package resource

import "github.com/saga-orchestrator/orchestrator/saga"

// The causes for which a saga waits, in addition to the reasons for attention.
const (
	CauseDone             = "done"
	CausePaused           = "paused"
	CauseScheduled        = "scheduled"
	CauseUnroutable       = "unroutable"
	CauseNotPublished     = "not_published"
	CauseHeldBack         = "held_back"
	CauseNoConsumer       = "no_consumer"
	CauseWaitingForWorker = "waiting_for_worker"
	CauseWaitingForBranch = "waiting_for_branch"
	CauseWaitingForSignal = "waiting_for_signal"
	CauseWaitingForDelay  = "waiting_for_delay"
	CauseWaitingForChild  = "waiting_for_child"
	CauseRetryAt          = "retry_at"
	CauseRefusedByBroker  = "refused_by_broker"
	CauseUnreadable       = "unreadable"
)

// Why explains what a saga is waiting for, and what happens next.
type Why struct {
	Cause          string            `json:"cause" doc:"done, paused, scheduled, unreadable, unroutable, refused_by_broker, not_published, held_back, no_consumer, waiting_for_worker, waiting_for_branch, waiting_for_signal, waiting_for_delay, waiting_for_child, retry_at, or a reason for attention"`
	Message        string            `json:"message" doc:"Description of the cause, with what an operator can do"`
	Since          *Time             `json:"since" format:"date-time" doc:"When the cause arose"`
	Step           *string           `json:"step" doc:"The step that the cause concerns"`
	NextAutomatic  *NextAutomatic    `json:"next_automatic" doc:"What happens next without an operator; null: nothing is scheduled"`
	AllowedActions []saga.ActionName `json:"allowed_actions"`
	Evidence       Evidence          `json:"evidence"`
}

// NextAutomatic is something that happens without an operator.
type NextAutomatic struct {
	At   *Time  `json:"at" format:"date-time" doc:"null: the time is unknown"`
	What string `json:"what"`
}

// Evidence is the information from which the cause was concluded.
type Evidence struct {
	Status    saga.Status     `json:"status"`
	Revision  int64           `json:"revision"`
	Step      *StepEvidence   `json:"step,omitempty"`
	Outbox    *OutboxEvidence `json:"outbox,omitempty"`
	Queue     *QueueEvidence  `json:"queue,omitempty"`
	Letter    *LetterEvidence `json:"dead_letter,omitempty"`
	Broker    string          `json:"broker" doc:"ready, unreachable, or why a broker that can be reached takes no commands"`
	Waiting   []string        `json:"waiting,omitempty" doc:"Steps that have a command out or wait for their next attempt"`
	Timers    []NextAutomatic `json:"timers,omitempty" doc:"Everything that happens without an operator, earliest first"`
	Attention *Attention      `json:"attention,omitempty"`
}

// StepEvidence is the state of the step that the cause concerns.
type StepEvidence struct {
	Name          string          `json:"name"`
	Status        saga.StepStatus `json:"status"`
	Command       string          `json:"command"`
	CommandID     string          `json:"command_id,omitempty"`
	Attempt       int             `json:"attempt"`
	DeadlineAt    *Time           `json:"deadline_at" format:"date-time"`
	NextAttemptAt *Time           `json:"next_attempt_at" format:"date-time"`
	Error         *saga.StepError `json:"error"`
}

// LetterEvidence is the newest dead letter of the command that the step waits for: the command itself, or a reply to it.
type LetterEvidence struct {
	ID         string `json:"id"`
	Source     string `json:"source" enum:"command,reply"`
	Reason     string `json:"reason"`
	ReceivedAt *Time  `json:"received_at" format:"date-time"`
}

// OutboxEvidence is the state of the command on its way to the broker.
type OutboxEvidence struct {
	State    string   `json:"state" enum:"written,held_back,returned,refused,confirmed"`
	Since    *Time    `json:"since" format:"date-time"`
	Attempts int      `json:"attempts" doc:"Number of failed attempts to publish it"`
	Reason   string   `json:"reason,omitempty" doc:"Error text of the broker"`
	RetryAt  *Time    `json:"retry_at,omitempty" format:"date-time" doc:"Next attempt to publish it, if the broker refused it or it cannot be published as stored"`
	Before   *int64   `json:"before,omitempty" doc:"If it is held back: commands that leave before it, at most 10,000"`
	SagasOut []string `json:"sagas_out,omitempty" doc:"If a cap holds it back: up to 3 sagas whose commands are out of the queue"`
}

// The states of an OutboxEvidence.
const (
	OutboxWritten   = "written"
	OutboxHeldBack  = "held_back"
	OutboxReturned  = "returned"
	OutboxRefused   = "refused"
	OutboxConfirmed = "confirmed"
)

// QueueEvidence is the state of the command's queue. Its values are null if the broker did not answer.
type QueueEvidence struct {
	Name      string `json:"name"`
	Exists    *bool  `json:"exists"`
	Depth     *int   `json:"depth"`
	Consumers *int   `json:"consumers"`

	Paused bool    `json:"paused,omitempty"`
	MaxOut int     `json:"max_out,omitempty"`
	Rate   float64 `json:"rate,omitempty"`
}
