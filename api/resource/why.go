package resource

import "github.com/saga-orchestrator/orchestrator/saga"

// Causes of a saga not being further, besides the reasons for attention.
const (
	CauseDone             = "done"
	CausePaused           = "paused"
	CauseScheduled        = "scheduled"
	CauseUnroutable       = "unroutable"
	CauseNotPublished     = "not_published"
	CauseNoConsumer       = "no_consumer"
	CauseWaitingForWorker = "waiting_for_worker"
	CauseWaitingForBranch = "waiting_for_branch"
	CauseRetryAt          = "retry_at"
	CauseRefusedByBroker  = "refused_by_broker"
	CauseUnreadable       = "unreadable"
)

// Why says why a saga is not further, and what comes next.
type Why struct {
	Cause          string            `json:"cause" doc:"done, paused, scheduled, unreadable, unroutable, refused_by_broker, not_published, no_consumer, waiting_for_worker, waiting_for_branch, retry_at, or a reason for attention"`
	Message        string            `json:"message" doc:"The cause for people, with what they can do"`
	Since          *Time             `json:"since" format:"date-time" doc:"Since when it has been so"`
	Step           *string           `json:"step" doc:"The step that it is about"`
	NextAutomatic  *NextAutomatic    `json:"next_automatic" doc:"What happens by itself next, and when; null: nothing with a time"`
	AllowedActions []saga.ActionName `json:"allowed_actions"`
	Evidence       Evidence          `json:"evidence"`
}

// NextAutomatic is something that happens by itself.
type NextAutomatic struct {
	At   *Time  `json:"at" format:"date-time" doc:"null: the time is not known"`
	What string `json:"what"`
}

// Evidence is what the cause was concluded from.
type Evidence struct {
	Status    saga.Status     `json:"status"`
	Revision  int64           `json:"revision"`
	Step      *StepEvidence   `json:"step,omitempty"`
	Outbox    *OutboxEvidence `json:"outbox,omitempty"`
	Queue     *QueueEvidence  `json:"queue,omitempty"`
	Broker    string          `json:"broker" doc:"ready, or unreachable"`
	Waiting   []string        `json:"waiting,omitempty" doc:"Every step that has a command out or waits for its next attempt"`
	Timers    []NextAutomatic `json:"timers,omitempty" doc:"Everything that falls due by itself, earliest first"`
	Attention *Attention      `json:"attention,omitempty"`
}

// StepEvidence is the state of the step that the cause is about.
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

// OutboxEvidence is what became of the command on its way to the broker.
type OutboxEvidence struct {
	State    string `json:"state" enum:"written,returned,refused,confirmed"`
	Since    *Time  `json:"since" format:"date-time"`
	Attempts int    `json:"attempts" doc:"How often publishing it did not come off"`
	Reason   string `json:"reason,omitempty" doc:"In the broker's words"`
	RetryAt  *Time  `json:"retry_at,omitempty" format:"date-time" doc:"When it is published again, if it was refused"`
}

// States of an OutboxEvidence.
const (
	OutboxWritten   = "written"
	OutboxReturned  = "returned"
	OutboxRefused   = "refused"
	OutboxConfirmed = "confirmed"
)

// QueueEvidence is the queue that the command goes to. Its numbers are null when the broker could not be asked.
type QueueEvidence struct {
	Name      string `json:"name"`
	Exists    *bool  `json:"exists"`
	Depth     *int   `json:"depth"`
	Consumers *int   `json:"consumers"`
}
