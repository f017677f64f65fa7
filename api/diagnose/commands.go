package diagnose

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// publishAllowance is the time for which a command may be in the outbox without being the cause.
const publishAllowance = time.Second

// queueStateAge is the age that the state of a queue may have: it is cached for a second after the broker was asked, for which
// two seconds are allowed. The rest is for clocks that differ.
const queueStateAge = 5 * time.Second

// unreportedDelay is the part of a command's timeout by which its publishing may be late without a later start of the timeout.
const unreportedDelay = 20

// command is a command that a step waits for.
type command struct {
	id      saga.CommandID
	step    int
	timeout time.Duration
}

func (e Evidence) commandsOut() []command {
	if e.Instance.Status == saga.Scheduled {
		return nil
	}
	var out []command
	for i := range e.Instance.Steps {
		id, ok := e.Instance.CommandOut(i)
		if !ok {
			continue
		}
		timeout := e.Definition.Steps[i].Timeout
		if id.Direction == saga.Compensate {
			timeout = e.Definition.Steps[i].CompensationTimeout
		}
		out = append(out, command{id: id, step: i, timeout: time.Duration(timeout)})
	}
	return out
}

// QueuesInUse returns the queues of the commands that are out; the api package asks the broker about them.
func (e Evidence) QueuesInUse() []string {
	var queues []string
	for _, c := range e.commandsOut() {
		queues = append(queues, e.Definition.Steps[c.step].Queue)
	}
	return queues
}

// Published returns the ids of the commands that are out and not in the outbox. The api package reads their dead letters.
func (e Evidence) Published() (ids []saga.CommandID) {
	for _, c := range e.commandsOut() {
		if _, waits := e.Outbox[c.id.String()]; !waits {
			ids = append(ids, c.id)
		}
	}
	return ids
}

// worst explains the command that is furthest from its reply. The saga waits for that one.
func (e Evidence) worst(commands []command) (finding, bool) {
	severity := map[string]int{
		resource.CauseUnroutable: 4, resource.CauseRefusedByBroker: 4, resource.CauseNotPublished: 3, resource.CauseHeldBack: 3,
		resource.CauseNoConsumer:       2,
		resource.CauseWaitingForBranch: 1,
	}
	var found finding
	for i, c := range commands {
		if next := e.diagnose(c); i == 0 || severity[next.cause] > severity[found.cause] {
			found = next
		}
	}
	return found, len(commands) > 0
}

// diagnose follows a command from the outbox through its queue to a worker.
func (e Evidence) diagnose(c command) finding {
	name := e.Instance.Steps[c.step].Name
	queue := e.Definition.Steps[c.step].Queue
	if found, unpublished := e.unpublished(c); unpublished {
		return found
	}
	found := finding{step: c.step, since: e.dispatchedAt(c), next: e.attemptEnds(c)}
	state, inspected := e.Queues[queue]
	switch {
	case inspected && !state.Exists:
		found.cause, found.message = resource.CauseUnroutable, unroutableMessage(name, queue, e.Undeclared[queue])
	case state.Locked:
		found.cause, found.message = resource.CauseWaitingForWorker, lockedWorkerMessage(name, queue)
	case inspected && state.Consumers == 0:
		found.cause, found.message = resource.CauseNoConsumer, noConsumerMessage(name, queue, state.Depth)
		if state.Depth == 0 && e.taken(c) {
			found.message = takenMessage(name, queue)
		}
	case e.draining(c):
		found.cause, found.message = resource.CauseWaitingForBranch, drainingMessage(name)
	case e.exhausted():
		found.cause, found.message = resource.CauseWaitingForBranch, exhaustedMessage(e.Instance.Attention.Step, name)
	default:
		found.cause, found.message = resource.CauseWaitingForWorker, workerMessage(name, queue, e.Broker)
	}
	return e.withLetter(c, found)
}

// withLetter adds to a finding that the command, or a reply to it, is a dead letter. A queue that is missing is worse.
func (e Evidence) withLetter(c command, found finding) finding {
	letter, is := e.Letters[c.id.String()]
	if !is {
		return found
	}
	said := letterMessage(e.Instance.Steps[c.step].Name, letter)
	switch found.cause {
	case resource.CauseWaitingForWorker:
		found.message = said
	case resource.CauseNoConsumer:
		found.message = said + " No worker consumes queue " + e.Definition.Steps[c.step].Queue + ": start one."
	case resource.CauseWaitingForBranch:
		found.message += " " + said
	}
	return found
}

// taken reports whether a command that is not in its queue was there before: the broker has confirmed it, and the state of the
// queue is newer than that.
func (e Evidence) taken(c command) bool {
	_, unconfirmed := e.Outbox[c.id.String()]
	return !unconfirmed && e.Now.Sub(e.dispatchedAt(c)) > queueStateAge+c.timeout/unreportedDelay
}

// unpublished explains a command that is still in the outbox for longer than usual. The relay publishes it again in any
// case; the time of the next attempt is unknown unless the broker has refused the command or its row is broken.
func (e Evidence) unpublished(c command) (finding, bool) {
	row, waiting := e.Outbox[c.id.String()]
	if !waiting {
		return finding{}, false
	}
	name, queue := e.Instance.Steps[c.step].Name, e.Definition.Steps[c.step].Queue
	problem := e.Problems[queue]
	found := finding{step: c.step, since: problem.Since, next: published(name, problem.RetryAt)}
	switch {
	case row.HeldBack:
		return e.heldBack(c, row), true
	case !row.RefusedAt.IsZero():
		found.cause, found.since, found.next = resource.CauseRefusedByBroker, row.RefusedAt, published(name, row.RetryAt)
		found.message = refusedMessage(name, row.Reason)
	case problem.Kind == record.QueueMissing && e.Queues[queue].Locked:
		found.cause, found.message = resource.CauseUnroutable, lockedMessage(name, queue)
	case problem.Kind == record.QueueMissing:
		found.cause, found.message = resource.CauseUnroutable, unroutableMessage(name, queue, e.Undeclared[queue])
	case problem.Kind == record.QueueRefuses:
		found.cause, found.message = resource.CauseRefusedByBroker, queueRefusesMessage(name, queue, problem.Reason)
	case problem.Kind == record.QueueNotConfirming:
		found.cause, found.message = resource.CauseNotPublished, notConfirmingMessage(name, queue, problem.Reason)
	case row.Reason != "" && !row.RetryAt.IsZero():
		found.cause, found.since, found.next = resource.CauseNotPublished, row.CreatedAt, published(name, row.RetryAt)
		found.message = unpublishableMessage(name, row.Reason)
	case e.Broker != nil || e.Now.Sub(row.CreatedAt) > publishAllowance:
		found.cause, found.since = resource.CauseNotPublished, row.CreatedAt
		found.message = unpublishedMessage(name, queue, e.Broker)
	default:
		return finding{}, false // it is on its way
	}
	return found, true
}

// heldBack explains a command that the settings of its queue hold back. A cap or a rate lets it leave without an operator,
// a pause does not.
func (e Evidence) heldBack(c command, row record.OutboxRow) finding {
	settings := e.Settings[row.Queue]
	found := finding{
		cause: resource.CauseHeldBack, step: c.step, since: row.CreatedAt,
		message: heldBackMessage(e.Instance.Steps[c.step].Name, row, settings, e.SagasOut[row.Queue]),
	}
	if settings.Since.After(found.since) {
		found.since = settings.Since
	}
	if !settings.Paused {
		found.next = automatic(time.Time{}, "the command of step "+c.id.Step+" leaves when the settings of its queue allow it")
	}
	return found
}

// published returns the next attempt to publish a command. A zero time is unknown.
func published(step string, at time.Time) *resource.NextAutomatic {
	return automatic(at, "the command of step "+step+" is published again")
}

// draining reports whether a compensating saga waits for a step that is still executing.
func (e Evidence) draining(c command) bool {
	return e.Instance.Status == saga.Compensating && c.id.Direction == saga.Execute
}

// exhausted reports whether one branch already needs an operator while others still run.
func (e Evidence) exhausted() bool {
	if e.Instance.Attention == nil {
		return false
	}
	switch e.Instance.Attention.Reason {
	case saga.CompensationExhausted, saga.InvalidOutput, saga.RetriesExhausted, saga.StepFailure, saga.PivotUnknown:
		return true
	default:
		return false
	}
}

// dispatchedAt returns the start of the attempt's timeout. Before that it returns the time of the last transition.
func (e Evidence) dispatchedAt(c command) time.Time {
	if deadline := e.Instance.Steps[c.step].DeadlineAt; !deadline.IsZero() {
		return deadline.Add(-c.timeout)
	}
	return e.Instance.UpdatedAt
}

// attemptEnds returns the timeout of the attempt. The timeout does not run while the command is in the outbox.
func (e Evidence) attemptEnds(c command) *resource.NextAutomatic {
	return automatic(e.Instance.Steps[c.step].DeadlineAt, "the attempt of step "+c.id.Step+" times out")
}
