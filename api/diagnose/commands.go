package diagnose

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// publishAllowance is how long a command may be in the outbox before that is worth a word.
const publishAllowance = time.Second

// command is one command that is out.
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

func (e Evidence) QueuesInUse() []string {
	var queues []string
	for _, c := range e.commandsOut() {
		queues = append(queues, e.Definition.Steps[c.step].Queue)
	}
	return queues
}

// worst explains the command out that is furthest from being answered: what keeps it is what keeps the saga.
func (e Evidence) worst(commands []command) (finding, bool) {
	severity := map[string]int{
		resource.CauseUnroutable: 4, resource.CauseRefusedByBroker: 4, resource.CauseNotPublished: 3, resource.CauseNoConsumer: 2,
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

// diagnose follows one command along its way: out of the outbox, into its queue, to a worker.
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
		found.cause, found.message = resource.CauseUnroutable, unroutableMessage(name, queue)
	case inspected && state.Consumers == 0:
		found.cause, found.message = resource.CauseNoConsumer, noConsumerMessage(name, queue, state.Depth)
	case e.draining(c):
		found.cause, found.message = resource.CauseWaitingForBranch, drainingMessage(name)
	case e.usedUp():
		found.cause, found.message = resource.CauseWaitingForBranch, usedUpMessage(e.Instance.Attention.Step, name)
	default:
		found.cause, found.message = resource.CauseWaitingForWorker, workerMessage(name, queue, e.Broker != nil)
	}
	return found
}

// unpublished explains a command that is still in the outbox, if that is worth a word. It is published again by itself,
// whatever keeps it; the time is null where nothing was refused yet.
func (e Evidence) unpublished(c command) (finding, bool) {
	row, waiting := e.Outbox[c.id.String()]
	if !waiting {
		return finding{}, false
	}
	name, queue := e.Instance.Steps[c.step].Name, e.Definition.Steps[c.step].Queue
	problem := e.Problems[queue]
	found := finding{step: c.step, since: problem.Since, next: published(name, problem.RetryAt)}
	switch {
	case !row.RefusedAt.IsZero():
		found.cause, found.since, found.next = resource.CauseRefusedByBroker, row.RefusedAt, published(name, row.RetryAt)
		found.message = refusedMessage(name, row.Reason)
	case problem.Kind == record.QueueMissing:
		found.cause, found.message = resource.CauseUnroutable, unroutableMessage(name, queue)
	case problem.Kind == record.QueueRefuses:
		found.cause, found.message = resource.CauseRefusedByBroker, queueRefusesMessage(name, queue, problem.Reason)
	case problem.Kind == record.QueueNotConfirming:
		found.cause, found.message = resource.CauseNotPublished, notConfirmingMessage(name, queue, problem.Reason)
	case e.Broker != nil || e.Now.Sub(row.CreatedAt) > publishAllowance:
		found.cause, found.since = resource.CauseNotPublished, row.CreatedAt
		found.message = unpublishedMessage(name, queue, e.Broker != nil)
	default:
		return finding{}, false // it is on its way
	}
	return found, true
}

// published is the next attempt to publish a command; at is zero where its time is not known.
func published(step string, at time.Time) *resource.NextAutomatic {
	return automatic(at, "the command of step "+step+" is published again")
}

// draining says whether a saga that goes back waits for a step that was still going forward.
func (e Evidence) draining(c command) bool {
	return e.Instance.Status == saga.Compensating && c.id.Direction == saga.Execute
}

// usedUp says whether one branch needs a person already, while others still move.
func (e Evidence) usedUp() bool {
	if e.Instance.Attention == nil {
		return false
	}
	switch e.Instance.Attention.Reason {
	case saga.CompensationExhausted, saga.RetriesExhausted, saga.PivotUnknown:
		return true
	default:
		return false
	}
}

// dispatchedAt is when the attempt's time began, or, while it has not, when the saga last moved.
func (e Evidence) dispatchedAt(c command) time.Time {
	if deadline := e.Instance.Steps[c.step].DeadlineAt; !deadline.IsZero() {
		return deadline.Add(-c.timeout)
	}
	return e.Instance.UpdatedAt
}

// attemptEnds is when the attempt times out. Its time does not run while the command is in the outbox: a row that is
// still there for a moment after the confirm makes no difference.
func (e Evidence) attemptEnds(c command) *resource.NextAutomatic {
	return automatic(e.Instance.Steps[c.step].DeadlineAt, "the attempt of step "+c.id.Step+" times out")
}
