// Package diagnose explains what a saga is waiting for. It concludes one cause from evidence that the api package gathers:
// the saga, its outbox rows, its queues and the broker. It has no I/O and no clock.
package diagnose

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Evidence is everything that a cause is concluded from.
type Evidence struct {
	Definition *saga.Definition
	Instance   *saga.Instance
	// Outbox holds the commands that the broker has not confirmed, by command id.
	Outbox map[string]record.OutboxRow
	// Queues holds the state of each queue that the broker reported; nil if the broker was not reachable.
	Queues map[string]wire.QueueState
	// Problems holds the reasons why queues accept no commands at present, by queue.
	Problems map[string]record.QueueProblem
	// Settings holds what operators have set for queues, by queue. It is needed only if a command is held back.
	Settings map[string]record.QueueSettings
	// SagasOut holds the first sagas whose commands are out of capped queues, by queue. It is needed only if a command is held back.
	SagasOut map[string][]string
	// Letters holds the newest dead letters of the commands that Published returns, by command id.
	Letters map[string]record.DeadLetter
	// Lost holds the children that are awaited although no report of theirs is to come, by id.
	Lost map[string]LostChild
	// ParentGone reports that the saga is a child whose parent does not exist.
	ParentGone bool
	// Parked reports that this process has an event of the saga, such as a reply, that cannot be stored.
	Parked bool
	// NothingStored reports that the database takes no changes of sagas at present, as far as this process knows.
	NothingStored bool
	// Broker is the reason why commands cannot be published, a *wire.Obstacle if the broker can be reached; nil if they can.
	Broker error
	// Undeclared holds the reasons why this process could not declare queues, as far as it knows, by queue.
	Undeclared map[string]error
	Now        time.Time
}

// finding is a cause with what belongs to it.
type finding struct {
	cause   string
	message string
	since   time.Time
	step    int // its position, or noStep
	next    *resource.NextAutomatic
}

const noStep = -1

// Explain returns the one cause that matters most, and what happens next.
func (e Evidence) Explain() resource.Why {
	commands := e.commandsOut()
	found, ok := e.atRest()
	if !ok {
		found, ok = e.worst(commands)
	}
	if !ok {
		found, ok = e.nextRetry()
	}
	if !ok {
		found, ok = e.wait()
	}
	if !ok {
		found = e.unexplained()
	}
	return e.answer(found, commands)
}

// atRest explains a saga that has ended, is stuck or paused, or has not started.
func (e Evidence) atRest() (finding, bool) {
	attention := e.Instance.Attention
	switch {
	case e.Instance.Status.Terminal() && attention != nil, e.Instance.Status == saga.Stuck && attention != nil:
		return e.needsOperator(), true
	case e.Instance.Status.Terminal():
		return finding{cause: resource.CauseDone, message: doneMessage(e.Instance.Status), since: e.Instance.FinishedAt, step: noStep}, true
	case e.Instance.Status == saga.Scheduled:
		return finding{
			cause: resource.CauseScheduled, message: "The saga is scheduled to start later. Nothing needs to be done.",
			since: e.Instance.CreatedAt, step: noStep,
			next: automatic(e.Instance.StartAt, "the saga starts"),
		}, true
	case e.Instance.Status == saga.Paused:
		return finding{
			cause: resource.CausePaused, message: "An operator paused the saga. Replies are processed, but no command is " +
				"sent until an operator resumes it.",
			since: e.Instance.UpdatedAt, step: noStep,
		}, true
	default:
		return finding{}, false
	}
}

func (e Evidence) needsOperator() finding {
	attention := e.Instance.Attention
	return finding{
		cause: string(attention.Reason), message: e.attentionMessage(), since: attention.Since,
		step: e.position(attention.Step),
	}
}

// nextRetry explains a saga without a command out whose step waits for its next attempt.
func (e Evidence) nextRetry() (finding, bool) {
	first := noStep
	for i := range e.Instance.Steps {
		at := e.Instance.Steps[i].NextAttemptAt
		if !at.IsZero() && !e.Instance.AttemptHeld(i) && (first == noStep || at.Before(e.Instance.Steps[first].NextAttemptAt)) {
			first = i
		}
	}
	if first == noStep {
		return finding{}, false
	}
	step := &e.Instance.Steps[first]
	what := "step " + step.Name
	if step.Status == saga.StepCompensating {
		what = "the compensation of " + what
	}
	return finding{
		cause: resource.CauseRetryAt, message: e.retryMessage(first), since: e.Instance.UpdatedAt, step: first,
		next: automatic(step.NextAttemptAt, what+" is retried"),
	}, true
}

// unexplained covers a running saga without commands and timers: the evidence was read between two transitions, or the
// saga already asks for an operator.
func (e Evidence) unexplained() finding {
	if e.Instance.Attention != nil {
		return e.needsOperator()
	}
	found := finding{
		cause: resource.CauseWaitingForBranch, since: e.Instance.UpdatedAt, step: noStep,
		message: "The saga is between two steps. If this lasts, check the log of the orchestrator.",
	}
	if !e.Instance.WakeAt.IsZero() {
		found.next = automatic(e.Instance.WakeAt, "the orchestrator checks the saga again")
	}
	return found
}

// position returns the position of the step with that name, or noStep.
func (e Evidence) position(name string) int {
	for i := range e.Instance.Steps {
		if e.Instance.Steps[i].Name == name {
			return i
		}
	}
	return noStep
}
