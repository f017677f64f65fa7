package diagnose

import (
	"errors"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// answer combines a finding with the evidence that supports it.
func (e Evidence) answer(found finding, commands []command) resource.Why {
	timers := e.timers(commands)
	if !e.Instance.Status.Terminal() && e.Instance.Status != saga.Paused {
		found.next = earliest(found, timers)
	}
	message := found.message
	if rewind := e.Instance.Rewind; rewind != nil {
		message += " The saga is being rewound: it runs again from step " + rewind.To + " once that step and the steps after it are compensated."
	}
	if e.ParentGone && !e.Instance.Status.Terminal() {
		message += e.orphanMessage()
	}
	switch {
	case e.Instance.Status.Terminal():
	case e.Parked:
		message += " An event of the saga, such as a reply, has arrived, but the database refuses the change. It is tried again and again; the log of " +
			"this replica says why: cannot store an event."
	case e.NothingStored:
		message += " The database takes no changes at present, so the saga stands still until it does: a reply that has arrived is kept."
	}
	why := resource.Why{
		Cause: found.cause, Message: message, Since: resource.OptionalTime(found.since), NextAutomatic: found.next,
		AllowedActions: append([]saga.ActionName{}, e.Definition.AllowedActions(e.Instance)...),
		Evidence: resource.Evidence{
			Status: e.Instance.Status, Revision: e.Instance.Revision, Broker: "ready", Waiting: e.waiting(), Timers: shownTimers(timers),
			Attention: resource.AttentionOf(e.Instance.Attention),
		},
	}
	if obstacle, is := errors.AsType[*wire.Obstacle](e.Broker); is {
		why.Evidence.Broker = obstacle.Public()
	} else if e.Broker != nil {
		why.Evidence.Broker = "unreachable"
	}
	if found.step != noStep {
		e.addStep(&why, found.step, commands)
	}
	return why
}

func (e Evidence) addStep(why *resource.Why, i int, commands []command) {
	step, declared := &e.Instance.Steps[i], &e.Definition.Steps[i]
	why.Step = &step.Name
	shown := &resource.StepEvidence{
		Name: step.Name, Status: step.Status, Command: declared.Command, Attempt: step.Attempts,
		DeadlineAt: resource.DeadlineOf(declared, step), NextAttemptAt: resource.OptionalTime(step.NextAttemptAt), Error: step.Error,
	}
	if step.CompensationAttempts > 0 {
		shown.Command, shown.Attempt = declared.Compensation, step.CompensationAttempts
	}
	why.Evidence.Step = shown
	for _, c := range commands {
		if c.step != i {
			continue
		}
		shown.CommandID = c.id.String()
		why.Evidence.Outbox = e.outboxEvidence(shown.CommandID)
		if letter, is := e.Letters[shown.CommandID]; is {
			why.Evidence.Letter = &resource.LetterEvidence{
				ID: letter.ID, Source: letter.Source, Reason: letter.Reason, ReceivedAt: resource.OptionalTime(letter.ReceivedAt),
			}
		}
		why.Evidence.Queue = queueEvidence(declared.Queue, e.Queues)
		settings := e.Settings[declared.Queue]
		why.Evidence.Queue.Paused, why.Evidence.Queue.MaxOut, why.Evidence.Queue.Rate = settings.Paused, settings.MaxOut, settings.Rate
	}
}

func (e Evidence) outboxEvidence(commandID string) *resource.OutboxEvidence {
	row, waiting := e.Outbox[commandID]
	if !waiting {
		return &resource.OutboxEvidence{State: resource.OutboxConfirmed}
	}
	problem := e.Problems[row.Queue]
	shown := &resource.OutboxEvidence{
		State: resource.OutboxWritten, Since: resource.OptionalTime(row.CreatedAt), Attempts: row.Attempts, Reason: oneLine(row.Reason),
		RetryAt: resource.OptionalTime(row.RetryAt),
	}
	switch {
	case row.HeldBack:
		shown.State, shown.Before, shown.SagasOut = resource.OutboxHeldBack, &row.Before, e.SagasOut[row.Queue]
		return shown
	case !row.RefusedAt.IsZero():
		shown.State, shown.Since, shown.RetryAt = resource.OutboxRefused, resource.OptionalTime(row.RefusedAt), resource.OptionalTime(row.RetryAt)
	case problem.Kind == record.QueueMissing:
		shown.State = resource.OutboxReturned
	case problem.Kind == record.QueueRefuses:
		shown.State = resource.OutboxRefused
	}
	if row.RefusedAt.IsZero() && problem.Kind != "" {
		shown.Since, shown.RetryAt, shown.Reason = resource.OptionalTime(problem.Since), resource.OptionalTime(problem.RetryAt), oneLine(problem.Reason)
	}
	return shown
}

// waiting returns the steps that have a command out or wait for their next attempt.
func (e Evidence) waiting() []string {
	var names []string
	for i := range e.Instance.Steps {
		_, out := e.Instance.CommandOut(i)
		if out = out || e.Instance.Steps[i].Waiting != saga.NoWait; out || !e.Instance.Steps[i].NextAttemptAt.IsZero() {
			names = append(names, e.Instance.Steps[i].Name)
		}
	}
	return names
}

// timers returns what happens without an operator, earliest first.
func (e Evidence) timers(commands []command) []timer {
	var timers []timer
	for _, c := range commands {
		if e.Outbox[c.id.String()].HeldBack {
			continue // the time of its attempt does not run
		}
		if ends := e.attemptEnds(c); ends.At != nil {
			_, waits := e.Outbox[c.id.String()]
			timers = append(timers, timer{c.step, waits, *ends})
		}
	}
	for i := range e.Instance.Steps {
		if step := &e.Instance.Steps[i]; !step.NextAttemptAt.IsZero() && !e.Instance.AttemptHeld(i) {
			timers = append(timers, timer{i, false, *automatic(step.NextAttemptAt, "step "+step.Name+" is retried")})
		}
	}
	for i := range e.Instance.Steps {
		if e.Instance.Steps[i].Waiting == saga.NoWait {
			continue
		}
		if ends := e.waitEnds(i); ends != nil && ends.At != nil {
			timers = append(timers, timer{i, false, *ends})
		}
	}
	if e.Instance.Status == saga.Scheduled {
		timers = append(timers, timer{noStep, false, *automatic(e.Instance.StartAt, "the saga starts")})
	}
	if e.Instance.DeadlineAt.After(e.Now) && (e.Instance.Phase == saga.PhaseForward || e.Instance.Rewind != nil) {
		timers = append(timers, timer{noStep, false, *automatic(e.Instance.DeadlineAt, "the saga's deadline passes")})
	}
	slices.SortStableFunc(timers, func(a, b timer) int { return a.At.Compare(b.At.Time) })
	return timers
}

// timer is something that happens at a time, to a step or (noStep) to the saga. A timer does not run while its command is still
// in the outbox.
type timer struct {
	step  int
	waits bool
	resource.NextAutomatic
}

// earliest returns what happens next: what the finding says of its own step, or what comes before that elsewhere.
func earliest(found finding, timers []timer) *resource.NextAutomatic {
	next := found.next
	for i := range timers { // sorted
		t := &timers[i]
		if next == nil || !t.waits && (t.step != found.step || t.step == noStep) && (next.At == nil || t.At.Before(next.At.Time)) {
			return &t.NextAutomatic
		}
	}
	return next
}

func shownTimers(timers []timer) []resource.NextAutomatic {
	var shown []resource.NextAutomatic
	for i := range timers {
		shown = append(shown, timers[i].NextAutomatic)
	}
	return shown
}

// automatic returns something that happens without an operator. A zero time is unknown.
func automatic(at time.Time, what string) *resource.NextAutomatic {
	return &resource.NextAutomatic{At: resource.OptionalTime(at), What: what}
}

// queueEvidence shows what the broker reported about a queue.
func queueEvidence(name string, states map[string]wire.QueueState) *resource.QueueEvidence {
	shown := &resource.QueueEvidence{Name: name}
	if state, ok := states[name]; ok {
		shown.Exists = &state.Exists
		if !state.Locked {
			shown.Depth, shown.Consumers = &state.Depth, &state.Consumers
		}
	}
	return shown
}
