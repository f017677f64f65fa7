package api

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

type whyOutput struct {
	Body resource.Why
}

// why gathers what is known of a saga from the database and the broker, and has it explained.
func (s *service) why(ctx context.Context, input *SagaInput) (*whyOutput, error) {
	id, err := sagaID(input.ID)
	if err != nil {
		return nil, err
	}
	stored, err := s.Reads.Saga(ctx, id)
	if err != nil {
		return nil, err
	}
	in := stored.Instance
	plan, err := s.plans.get(ctx, in.Definition, in.Version)
	if text := defect(stored, plan, err); text != "" {
		return &whyOutput{Body: whyUnreadable(in, text)}, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := s.Reads.OutboxRows(ctx, id)
	if err != nil {
		return nil, err
	}
	seen := situation{plan: plan, in: &in, outbox: make(map[string]record.OutboxRow), broker: s.Broker.Ready(), now: s.Now()}
	for _, row := range rows {
		seen.outbox[row.CommandID] = row
	}
	problems, err := s.Reads.QueueProblems(ctx)
	if err != nil {
		return nil, err
	}
	seen.problems = make(map[string]record.QueueProblem, len(problems))
	for _, problem := range problems {
		seen.problems[problem.Queue] = problem
	}
	seen.queues = s.Monitor.inspection.states(ctx, seen.queuesInUse())
	return &whyOutput{Body: seen.explain()}, nil
}

// situation is everything that a cause is concluded from.
type situation struct {
	plan   *saga.Definition
	in     *saga.Instance
	outbox map[string]record.OutboxRow // by command id: what is not confirmed to be in its queue
	queues map[string]wire.QueueState  // nil: the broker could not be asked
	// problems are why queues take no commands at present, by queue.
	problems map[string]record.QueueProblem
	broker   error // why commands cannot be published; nil: they can
	now      time.Time
}

// finding is one conclusion, on its way to an answer.
type finding struct {
	cause   string
	message string
	since   time.Time
	step    int // position, or noStep
	next    *resource.NextAutomatic
}

const noStep = -1

// explain concludes one cause. The order of the questions is the order in which the answers matter.
func (s situation) explain() resource.Why {
	commands := s.commandsOut()
	found, ok := s.atRest()
	if !ok {
		found, ok = s.worst(commands)
	}
	if !ok {
		found, ok = s.nextRetry()
	}
	if !ok {
		found = s.unexplained()
	}
	return s.answer(found, commands)
}

// atRest explains sagas that do not move by themselves, or have not begun.
func (s situation) atRest() (finding, bool) {
	attention := s.in.Attention
	switch {
	case s.in.Status.Terminal() && attention != nil, s.in.Status == saga.Stuck && attention != nil:
		return s.needsPerson(), true
	case s.in.Status.Terminal():
		return finding{cause: resource.CauseDone, message: doneMessage(s.in.Status), since: s.in.FinishedAt, step: noStep}, true
	case s.in.Status == saga.Scheduled:
		return finding{
			cause: resource.CauseScheduled, message: "The saga starts later, as it was asked to. Nothing needs to be done.",
			since: s.in.CreatedAt, step: noStep,
			next: automatic(s.in.StartAt, "the saga starts"),
		}, true
	case s.in.Status == saga.Paused:
		return finding{
			cause: resource.CausePaused, message: "A person has paused the saga. Replies are taken in, but nothing is " +
				"dispatched until somebody resumes it.",
			since: s.in.UpdatedAt, step: noStep,
		}, true
	default:
		return finding{}, false
	}
}

func (s situation) needsPerson() finding {
	attention := s.in.Attention
	return finding{
		cause: string(attention.Reason), message: attentionMessage(*attention), since: attention.Since,
		step: s.position(attention.Step),
	}
}

// nextRetry explains a saga in which nothing is out and something waits for its next attempt.
func (s situation) nextRetry() (finding, bool) {
	first := noStep
	for i := range s.in.Steps {
		at := s.in.Steps[i].NextAttemptAt
		if !at.IsZero() && (first == noStep || at.Before(s.in.Steps[first].NextAttemptAt)) {
			first = i
		}
	}
	if first == noStep {
		return finding{}, false
	}
	step := &s.in.Steps[first]
	return finding{
		cause: resource.CauseRetryAt, message: retryMessage(step), since: s.in.UpdatedAt, step: first,
		next: automatic(step.NextAttemptAt, "step "+step.Name+" is tried again"),
	}, true
}

// unexplained is for a saga that moves, has nothing out and waits for nothing: it was looked at between two moments, or
// a person is asked for already.
func (s situation) unexplained() finding {
	if s.in.Attention != nil {
		return s.needsPerson()
	}
	found := finding{
		cause: resource.CauseWaitingForBranch, since: s.in.UpdatedAt, step: noStep,
		message: "The saga is between two steps. If it is still so a moment later, look at the log of the orchestrator.",
	}
	if !s.in.WakeAt.IsZero() {
		found.next = automatic(s.in.WakeAt, "the orchestrator looks at the saga again")
	}
	return found
}

// position returns where the step with that name stands, or noStep.
func (s situation) position(name string) int {
	for i := range s.in.Steps {
		if s.in.Steps[i].Name == name {
			return i
		}
	}
	return noStep
}
