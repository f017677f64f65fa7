package api

import (
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// answer puts a finding together with what it was concluded from.
func (s situation) answer(found finding, commands []command) resource.Why {
	timers := s.timers(commands)
	if found.next == nil && len(timers) > 0 && !s.in.Status.Terminal() && s.in.Status != saga.Paused {
		found.next = &timers[0]
	}
	why := resource.Why{
		Cause: found.cause, Message: found.message, Since: optional(found.since), NextAutomatic: found.next,
		AllowedActions: s.plan.Snapshot(s.in).AllowedActions,
		Evidence: resource.Evidence{
			Status: s.in.Status, Revision: s.in.Revision, Broker: "ready", Waiting: s.waiting(), Timers: timers,
			Attention: s.in.Attention.Snapshot(),
		},
	}
	if s.broker != nil {
		why.Evidence.Broker = "unreachable"
	}
	if found.step != noStep {
		s.addStep(&why, found.step, commands)
	}
	return why
}

func (s situation) addStep(why *resource.Why, i int, commands []command) {
	step, plan := &s.in.Steps[i], &s.plan.Steps[i]
	why.Step = &step.Name
	shown := &resource.StepEvidence{
		Name: step.Name, Status: step.Status, Command: plan.Command, Attempt: step.Attempts,
		DeadlineAt: optional(step.DeadlineAt), NextAttemptAt: optional(step.NextAttemptAt), Error: step.Error,
	}
	if step.CompensationAttempts > 0 {
		shown.Command, shown.Attempt = plan.Compensation, step.CompensationAttempts
	}
	why.Evidence.Step = shown
	for _, c := range commands {
		if c.step != i {
			continue
		}
		shown.CommandID = c.id.String()
		why.Evidence.Outbox = s.outboxEvidence(shown.CommandID)
		queue := queueEvidence(plan.Queue, s.queues)
		why.Evidence.Queue = &queue
	}
}

func (s situation) outboxEvidence(commandID string) *resource.OutboxEvidence {
	row, waiting := s.outbox[commandID]
	if !waiting {
		return &resource.OutboxEvidence{State: resource.OutboxConfirmed}
	}
	problem := s.problems[row.Queue]
	shown := &resource.OutboxEvidence{
		State: resource.OutboxWritten, Since: optional(row.CreatedAt), Attempts: row.Attempts, Reason: brokersWords(row.Reason),
	}
	switch {
	case !row.RefusedAt.IsZero():
		shown.State, shown.Since, shown.RetryAt = resource.OutboxRefused, optional(row.RefusedAt), optional(row.RetryAt)
	case problem.Kind == record.QueueMissing:
		shown.State = resource.OutboxReturned
	case problem.Kind == record.QueueRefuses:
		shown.State = resource.OutboxRefused
	}
	if row.RefusedAt.IsZero() && problem.Kind != "" {
		shown.Since, shown.RetryAt, shown.Reason = optional(problem.Since), optional(problem.RetryAt), brokersWords(problem.Reason)
	}
	return shown
}

// waiting names every step that has a command out or waits for its next attempt.
func (s situation) waiting() []string {
	var names []string
	for i := range s.in.Steps {
		if _, out := s.in.CommandOut(i); out || !s.in.Steps[i].NextAttemptAt.IsZero() {
			names = append(names, s.in.Steps[i].Name)
		}
	}
	return names
}

// timers lists what falls due by itself, earliest first.
func (s situation) timers(commands []command) []resource.NextAutomatic {
	var timers []resource.NextAutomatic
	for _, c := range commands {
		if ends := s.attemptEnds(c); ends.At != nil {
			timers = append(timers, *ends)
		}
	}
	for i := range s.in.Steps {
		if step := &s.in.Steps[i]; !step.NextAttemptAt.IsZero() {
			timers = append(timers, *automatic(step.NextAttemptAt, "step "+step.Name+" is tried again"))
		}
	}
	if s.in.Status == saga.Scheduled {
		timers = append(timers, *automatic(s.in.StartAt, "the saga starts"))
	}
	if s.in.DeadlineAt.After(s.now) && s.in.Phase == saga.PhaseForward {
		timers = append(timers, *automatic(s.in.DeadlineAt, "the saga's deadline passes"))
	}
	slices.SortStableFunc(timers, func(a, b resource.NextAutomatic) int { return a.At.Compare(b.At.Time) })
	return timers
}

// automatic is something that happens by itself at that time; zero: at a time that is not known.
func automatic(at time.Time, what string) *resource.NextAutomatic {
	return &resource.NextAutomatic{At: optional(at), What: what}
}
