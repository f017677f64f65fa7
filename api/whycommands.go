package api

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

func (s situation) commandsOut() []command {
	if s.in.Status == saga.Scheduled {
		return nil
	}
	var out []command
	for i := range s.in.Steps {
		id, ok := s.in.CommandOut(i)
		if !ok {
			continue
		}
		timeout := s.plan.Steps[i].Timeout
		if id.Direction == saga.Compensate {
			timeout = s.plan.Steps[i].CompensationTimeout
		}
		out = append(out, command{id: id, step: i, timeout: time.Duration(timeout)})
	}
	return out
}

func (s situation) queuesInUse() []string {
	var queues []string
	for _, c := range s.commandsOut() {
		queues = append(queues, s.plan.Steps[c.step].Queue)
	}
	return queues
}

// worst explains the command out that is furthest from being answered: what keeps it is what keeps the saga.
func (s situation) worst(commands []command) (finding, bool) {
	severity := map[string]int{
		resource.CauseUnroutable: 4, resource.CauseRefusedByBroker: 4, resource.CauseNotPublished: 3, resource.CauseNoConsumer: 2,
		resource.CauseWaitingForBranch: 1,
	}
	var found finding
	for i, c := range commands {
		if next := s.diagnose(c); i == 0 || severity[next.cause] > severity[found.cause] {
			found = next
		}
	}
	return found, len(commands) > 0
}

// diagnose follows one command along its way: out of the outbox, into its queue, to a worker.
func (s situation) diagnose(c command) finding {
	name := s.in.Steps[c.step].Name
	queue := s.plan.Steps[c.step].Queue
	if found, unpublished := s.unpublished(c); unpublished {
		return found
	}
	found := finding{step: c.step, since: s.dispatchedAt(c), next: s.attemptEnds(c)}
	state, inspected := s.queues[queue]
	switch {
	case inspected && !state.Exists:
		found.cause, found.message = resource.CauseUnroutable, unroutableMessage(name, queue)
	case inspected && state.Consumers == 0:
		found.cause, found.message = resource.CauseNoConsumer, noConsumerMessage(name, queue, state.Depth)
	case s.draining(c):
		found.cause, found.message = resource.CauseWaitingForBranch, drainingMessage(name)
	case s.usedUp():
		found.cause, found.message = resource.CauseWaitingForBranch, usedUpMessage(s.in.Attention.Step, name)
	default:
		found.cause, found.message = resource.CauseWaitingForWorker, workerMessage(name, queue, s.broker != nil)
	}
	return found
}

// unpublished explains a command that is still in the outbox, if that is worth a word. It is published again by itself,
// whatever keeps it; the time is null where nothing was refused yet.
func (s situation) unpublished(c command) (finding, bool) {
	row, waiting := s.outbox[c.id.String()]
	if !waiting {
		return finding{}, false
	}
	name, queue := s.in.Steps[c.step].Name, s.plan.Steps[c.step].Queue
	problem := s.problems[queue]
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
	case s.broker != nil || s.now.Sub(row.CreatedAt) > publishAllowance:
		found.cause, found.since = resource.CauseNotPublished, row.CreatedAt
		found.message = unpublishedMessage(name, queue, s.broker != nil)
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
func (s situation) draining(c command) bool {
	return s.in.Status == saga.Compensating && c.id.Direction == saga.Execute
}

// usedUp says whether one branch needs a person already, while others still move.
func (s situation) usedUp() bool {
	if s.in.Attention == nil {
		return false
	}
	switch s.in.Attention.Reason {
	case saga.CompensationExhausted, saga.RetriesExhausted, saga.PivotUnknown:
		return true
	default:
		return false
	}
}

// dispatchedAt is when the attempt's time began, or, while it has not, when the saga last moved.
func (s situation) dispatchedAt(c command) time.Time {
	if deadline := s.in.Steps[c.step].DeadlineAt; !deadline.IsZero() {
		return deadline.Add(-c.timeout)
	}
	return s.in.UpdatedAt
}

// attemptEnds is when the attempt times out. Its time does not run while the command is in the outbox: a row that is
// still there for a moment after the confirm makes no difference.
func (s situation) attemptEnds(c command) *resource.NextAutomatic {
	return automatic(s.in.Steps[c.step].DeadlineAt, "the attempt of step "+c.id.Step+" times out")
}
