package modelcheck

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// nothingIsUndonePastThePivot: rule 8. What a person opens again is a late effect, not the saga.
func nothingIsUndonePastThePivot(e edge) string {
	in := &e.decision.Next
	for i := range e.plan.Steps {
		pivot := &in.Steps[i]
		if e.plan.Steps[i].Kind != saga.Pivot || pivot.Status != saga.StepSucceeded && pivot.Status != saga.StepSkipped {
			continue
		}
		if in.ReopenedFrom == "" && !pivot.LateEffect && (in.Phase == saga.PhaseBackward || in.Status == saga.Compensated) {
			return "the saga goes back past its pivot"
		}
	}
	for _, command := range e.decision.Commands {
		step := &e.plan.Steps[stepOf(e.plan, command.ID.Step)]
		if command.ID.Direction == saga.Compensate && step.Kind != saga.Compensatable {
			return fmt.Sprintf("command %s undoes a step that is never undone", command.ID)
		}
	}
	return ""
}

// effectsCountOnce: rule 9, the first success wins; and what has happened is never forgotten.
func effectsCountOnce(e edge) string {
	for i := range e.before.Steps {
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		if old.TookEffect && !s.TookEffect {
			return "an effect is forgotten"
		}
		for _, entry := range e.decision.Entries {
			counted := entry.Type == saga.EntryStepSucceeded || entry.Type == saga.EntryStepLateEffect
			if counted && entry.Step == s.Name && old.TookEffect {
				return fmt.Sprintf("the effect of %s counts twice", s.Name)
			}
		}
	}
	return ""
}

// lateSuccessIsKept: rule 9. Only a worker's own final word that nothing happened stands against it, or a person's.
func lateSuccessIsKept(e edge) string {
	if e.move.What != Succeeds {
		return ""
	}
	old, s := &e.before.Steps[e.move.Step], &e.decision.Next.Steps[e.move.Step]
	denied := old.Status == saga.StepFailed && !old.Uncertain && e.plan.Steps[e.move.Step].Kind != saga.Retriable ||
		old.Status == saga.StepFailed && !old.Uncertain && e.before.Phase == saga.PhaseEnded ||
		old.Status == saga.StepSkipped && old.CompensationAttempts == 0 && old.Round == 1
	if !s.TookEffect && !denied && !old.Oversized {
		return "a success is dropped"
	}
	backward := s.Status == saga.StepCompensated || s.Status == saga.StepCompensating || s.Status == saga.StepCompensationFailed
	if !old.TookEffect && old.CompensationAttempts > 0 && s.TookEffect && backward && s.Round == old.Round && !s.LateEffect {
		return "an effect that came after its compensation is not undone once more"
	}
	return ""
}

// pausedIsStill: rule 13.
func pausedIsStill(e edge) string {
	if e.decision.Next.Status == saga.Paused && len(e.decision.Commands) > 0 {
		return "a paused saga dispatches"
	}
	return ""
}

// theOutboxFailsNobody: rule 3, the time of an attempt does not run while its command waits in the outbox.
func theOutboxFailsNobody(e edge) string {
	if e.move.What != FallsDueUnpublished {
		return ""
	}
	for i := range e.before.Steps {
		if e.before.Steps[i].Status != e.decision.Next.Steps[i].Status {
			return "a command that waits in the outbox fails its step"
		}
	}
	return ""
}

// thePivotGetsNoFurtherAttempt: rule 14, while a cancel or the deadline waits for it.
func thePivotGetsNoFurtherAttempt(e edge) string {
	if e.before.TurnBack == nil || e.move.Action == saga.ActionRetry {
		return ""
	}
	for _, command := range e.decision.Commands {
		if e.plan.Steps[stepOf(e.plan, command.ID.Step)].Kind == saga.Pivot {
			return "the pivot gets a further attempt although a cancel waits for it"
		}
	}
	return ""
}

// stuckIsStill: rule 12, only a person or a late success moves a saga that is stuck.
func stuckIsStill(e edge) string {
	if e.before.Status != saga.Stuck || !e.decision.Changed {
		return ""
	}
	if e.move.What == Acts || e.move.What == Succeeds || e.move.What == UndoSucceeds || e.move.What == TooMuch {
		return ""
	}
	if e.before.Phase == saga.PhaseForward && e.move.What == FallsDue && e.move.Timers&DeadlineTimer != 0 {
		return "" // the deadline is noted, and may turn it back
	}
	return fmt.Sprintf("a stuck saga moves: it %s", e.move)
}

// onlyKnownCommandsAreAnswered: section 6, a reply to no known command is refused, to be put aside.
func onlyKnownCommandsAreAnswered(e edge) string {
	if e.move.What == Foreign && (e.decision.Refused == nil || e.decision.Refused.Code != saga.RefusedUnknownCommand) {
		return "a reply to a command that was never sent is taken in"
	}
	return ""
}

// onlyWhatIsOutFails: rule 9, the failure of an attempt that was given up changes nothing.
func onlyWhatIsOutFails(e edge) string {
	if e.decision.Changed && e.move.Older && (e.move.What == FailsForGood || e.move.What == UndoFailsForGood) {
		return "the failure of an older attempt changes something"
	}
	return ""
}

// twice is what the same reply must do when it comes again: nothing (invariant 16).
func twice(plan *saga.Definition, e edge) string {
	if _, reply := e.move.cause(e.before).(saga.Reply); !reply || !e.decision.Changed {
		return ""
	}
	_, event := e.move.event(*e.before)
	event.At = e.at
	again, err := plan.Transition(e.decision.Next, event)
	switch {
	case err != nil:
		return fmt.Sprintf("a defect shows when the same reply comes again: %v", err)
	case again.Changed:
		return "the same reply changes something when it comes again"
	}
	return ""
}
