package modelcheck

import (
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// noCompensationPastThePivot: rule 8. An operator reopens a late effect, not the saga.
func noCompensationPastThePivot(e edge) string {
	in := &e.decision.Next
	for i := range e.def.Steps {
		pivot := &in.Steps[i]
		if e.def.Steps[i].Kind != saga.Pivot || pivot.Status != saga.StepSucceeded && pivot.Status != saga.StepSkipped {
			continue
		}
		if in.ReopenedFrom == "" && !pivot.LateEffect && (in.Phase == saga.PhaseBackward || in.Status == saga.Compensated) {
			return "the saga goes back past its pivot"
		}
	}
	for _, command := range e.decision.Commands {
		step := &e.def.Steps[stepOf(e.def, command.ID.Step)]
		if command.ID.Direction == saga.Compensate && step.Kind != saga.Compensatable {
			return fmt.Sprintf("command %s compensates a step that has no compensation", command.ID)
		}
	}
	return ""
}

// effectsCountOnce: rule 9. The first success counts, and no effect is forgotten.
func effectsCountOnce(e edge) string {
	for i := range e.before.Steps {
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		if old.TookEffect && !s.TookEffect && s.Rewinds == old.Rewinds {
			return "an effect is forgotten"
		}
		for _, entry := range e.decision.Entries {
			counted := entry.Type == saga.EntryStepSucceeded || entry.Type == saga.EntryStepLateEffect
			if counted && entry.Step == s.Name && old.TookEffect && !e.move.Before && s.Rewinds == old.Rewinds {
				return fmt.Sprintf("the effect of %s counts twice", s.Name)
			}
		}
	}
	return ""
}

// lateSuccessIsKept: rule 9. Only a final failure reported by the worker, or an operator's decision, overrides a
// success.
func lateSuccessIsKept(e edge) string {
	if e.move.What != Succeeds {
		return ""
	}
	old, s := &e.before.Steps[e.move.Step], &e.decision.Next.Steps[e.move.Step]
	if e.move.Before {
		if len(old.Unsettled) > 0 != e.decision.Changed || e.decision.Changed && s.EarlierEffect == 0 {
			return "a success from before a rewind is dropped, or counts although it was known"
		}
		return ""
	}
	if s.Rewinds > old.Rewinds {
		return "" // it counted, and the rewind that waited for it has reset the step
	}
	denied := old.Status == saga.StepFailed && !old.Uncertain && e.def.Steps[e.move.Step].Kind != saga.Retriable ||
		old.Status == saga.StepFailed && !old.Uncertain && e.before.Phase == saga.PhaseEnded ||
		old.Status == saga.StepSkipped && old.CompensationAttempts == 0 && old.Round == 1
	if !s.TookEffect && !denied && !old.Oversized {
		return "a success is dropped"
	}
	backward := s.Status == saga.StepCompensated || s.Status == saga.StepCompensating || s.Status == saga.StepCompensationFailed
	if !old.TookEffect && old.CompensationAttempts > 0 && s.TookEffect && backward && s.Round == old.Round && !s.LateEffect {
		return "an effect that came after its compensation is not compensated again"
	}
	return ""
}

// pausedIsStill: rule 13.
func pausedIsStill(e edge) string {
	if e.decision.Next.Status == saga.Paused && len(e.decision.Commands)+len(e.decision.Messages) > 0 {
		return "a paused saga dispatches"
	}
	return ""
}

// waitingInTheOutboxFailsNoStep: rule 3. The timeout does not run while a command waits in the outbox.
func waitingInTheOutboxFailsNoStep(e edge) string {
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

// thePivotGetsNoFurtherAttempt: rule 14, while a cancel or the deadline waits for its outcome.
func thePivotGetsNoFurtherAttempt(e edge) string {
	if e.before.TurnBack == nil || e.move.Action == saga.ActionRetry {
		return ""
	}
	for _, command := range e.decision.Commands {
		pivot := stepOf(e.def, command.ID.Step)
		if e.before.Rewind != nil && e.decision.Next.Steps[pivot].Rewinds > e.before.Steps[pivot].Rewinds {
			continue // it failed, and runs again
		}
		if e.def.Steps[pivot].Kind == saga.Pivot {
			return "the pivot gets another attempt although a cancel waits for it"
		}
	}
	return ""
}

// stuckIsStill: rule 12. Only an operator or a late success moves a stuck saga.
func stuckIsStill(e edge) string {
	if e.before.Status != saga.Stuck || !e.decision.Changed {
		return ""
	}
	if e.move.byOperator() || e.move.signals() || slices.Contains([]What{Succeeds, CompensationSucceeds, TooMuch, ChildCompletes, ChildUnfit, ChildCompensates}, e.move.What) {
		return ""
	}
	if (e.before.Phase == saga.PhaseForward || e.before.Rewind != nil) && e.move.What == FallsDue && e.move.Timers&DeadlineTimer != 0 {
		return "" // the deadline is recorded, and may turn the saga back
	}
	for i := range e.before.Steps {
		if spared(e.def, e.before, i) && (e.decision.Next.Status == saga.Stuck || e.move.reports()) {
			return "" // the wait of another branch ends during a rewind, which ends the rewind if it fails
		}
	}
	return fmt.Sprintf("a stuck saga moves: it %s", e.move)
}

// onlyKnownCommandsAreAnswered: a reply to an unknown command is refused, so that it is dead-lettered.
func onlyKnownCommandsAreAnswered(e edge) string {
	if e.move.What == Foreign && (e.decision.Refused == nil || e.decision.Refused.Code != saga.RefusedUnknownCommand) {
		return "a reply to a command that was never sent is accepted"
	}
	return ""
}

// onlyWhatIsOutFails: rule 9. The failure of an older attempt changes nothing.
func onlyWhatIsOutFails(e edge) string {
	if e.decision.Changed && e.move.Older && (e.move.What == FailsForGood || e.move.What == CompensationFailsForGood) {
		return "the failure of an older attempt changes something"
	}
	return ""
}

// twice delivers the same reply again, which must change nothing (invariant 16).
func twice(def *saga.Definition, e edge) string {
	_, reply := e.move.cause(e.before).(saga.Reply)
	if repeats := reply || e.move.signals() || e.move.reports() || e.move.What == Unwinds; !repeats || !e.decision.Changed {
		return ""
	}
	_, event := e.move.event(*e.before)
	event.At = e.at
	again, err := def.Transition(e.decision.Next, event)
	switch {
	case err != nil:
		return fmt.Sprintf("the core reports a defect for a duplicate reply: %v", err)
	case again.Changed && e.move.What == ChildCompensates && e.before.Steps[e.move.Step].Uncertain:
		return "" // an earlier child leaves the step unknown; the last one, once asked, may repeat that it is compensated
	case again.Changed:
		return "a duplicate reply changes something"
	}
	return ""
}
