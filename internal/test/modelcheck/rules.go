package modelcheck

import (
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// edge is one decision with its input.
type edge struct {
	def      *saga.Definition
	move     Move
	before   *saga.Instance
	at       time.Time
	decision *saga.Decision
	asked    int // how often the condition was evaluated
}

// rules returns the checks of every edge. Comments cite the rules of docs/rules.md.
func rules() []func(edge) string {
	return []func(edge) string{
		unchangedHasNoEffect, historyHasNoGaps, endsStay, endsAgreeWithSteps, liveSagasWake, commandsAreFresh,
		forwardInOrder, backwardInOrder, noCompensationPastThePivot, effectsCountOnce, lateSuccessIsKept, pausedIsStill,
		rewindsCompensateFirst, rewindsSpareOthers, compensationsNameTheirExecution, waitingInTheOutboxFailsNoStep, thePivotGetsNoFurtherAttempt, stuckIsStill, onlyTheUnsentIsWithdrawn, onlyWhatIsOutFails, onlyKnownCommandsAreAnswered,
	}
}

// checkEdge returns the first fault of an edge, or "".
func checkEdge(e edge) string {
	for _, rule := range rules() {
		if fault := rule(e); fault != "" {
			return fault
		}
	}
	return checkWaits(e)
}

func unchangedHasNoEffect(e edge) string {
	d := e.decision
	switch {
	case d.Changed && (d.Ignored != "" || d.Refused != nil):
		return "a change is neither ignored nor refused"
	case d.Changed && d.Next.Revision != e.before.Revision+1:
		return "a change adds one to the revision"
	case d.Changed:
		return ""
	case d.Next.Revision != e.before.Revision || len(d.Commands)+len(d.Messages)+len(d.Entries) > 0:
		return "an event without a change has no effect"
	case (d.Ignored == "") == (d.Refused == nil):
		return "an event without a change is either ignored or refused"
	}
	return ""
}

func historyHasNoGaps(e edge) string {
	for i, entry := range e.decision.Entries {
		if entry.Seq != e.before.Entries+int64(i)+1 || !entry.At.Equal(e.at) {
			return "the history has a gap, or another time"
		}
	}
	if e.decision.Next.Entries != e.before.Entries+int64(len(e.decision.Entries)) {
		return "the instance counts other entries than there are"
	}
	if e.decision.Changed && len(e.decision.Entries) == 0 {
		return "a change is in the history"
	}
	return ""
}

// endsStay: only a late effect lets an operator reopen a saga.
func endsStay(e edge) string {
	before, after := e.before, &e.decision.Next
	if !before.Status.Terminal() {
		return ""
	}
	if len(e.decision.Commands) > 0 && e.move.Action != saga.ActionCompensate && e.move.What != Unwinds {
		return "no command is dispatched after the end"
	}
	if before.Status == after.Status {
		return ""
	}
	if e.move.What == Unwinds {
		return "" // checked by unwindsTurnBack
	}
	late := before.Attention != nil && before.Attention.Reason == saga.LateEffect
	if !late || e.move.Action != saga.ActionCompensate || after.ReopenedFrom != before.Status {
		return fmt.Sprintf("the end %s becomes %s", before.Status, after.Status)
	}
	return ""
}

func endsAgreeWithSteps(e edge) string {
	in := &e.decision.Next
	for i := range in.Steps {
		status := in.Steps[i].Status
		done := status == saga.StepSucceeded || status == saga.StepSkipped
		moving := status == saga.StepRunning || status == saga.StepRetrying || status == saga.StepCompensating
		switch {
		case in.Status == saga.Completed && !done:
			return fmt.Sprintf("completed, but a step is %s", status)
		case in.Status == saga.Compensated && (moving || owed(e.def, in, i) && !in.Steps[i].LateEffect):
			return fmt.Sprintf("compensated, but a step is %s", status)
		}
	}
	return ""
}

// owed reports whether step i took effect, or may have, and is not compensated yet although it can be.
func owed(def *saga.Definition, in *saga.Instance, i int) bool {
	switch in.Steps[i].Status {
	case saga.StepSucceeded, saga.StepUnknown, saga.StepCompensating, saga.StepCompensationFailed:
		return compensable(def, in, i)
	default:
		return false
	}
}

// liveSagasWake: rule 12.
func liveSagasWake(e edge) string {
	in := &e.decision.Next
	if in.Status.Terminal() || in.Status == saga.Paused {
		if !in.WakeAt.IsZero() {
			return fmt.Sprintf("%s, but it would wake", in.Status)
		}
		return ""
	}
	moves := false
	for i := range in.Steps {
		s := &in.Steps[i]
		if in.ReopenedFrom != "" && !s.Reopened {
			continue
		}
		if s.Status == saga.StepRetrying && in.Rewind != nil && in.Phase == saga.PhaseBackward {
			continue // its next attempt waits for the end of the rewind
		}
		for _, at := range []time.Time{s.DeadlineAt, s.NextAttemptAt} {
			moves = moves || !at.IsZero() && !spared(e.def, in, i)
			if !at.IsZero() && (in.WakeAt.IsZero() || in.WakeAt.After(at)) {
				return fmt.Sprintf("step %s is due before the saga wakes", s.Name)
			}
		}
	}
	switch {
	case in.Status == saga.Scheduled && !in.WakeAt.Equal(in.StartAt):
		return "a scheduled saga wakes when it starts"
	case in.Status == saga.Stuck && (moves || in.Attention == nil):
		return "a stuck saga does not move and asks for attention"
	case (in.Status == saga.Running || in.Status == saga.Compensating) && !moves:
		return fmt.Sprintf("%s, but no command is out and no attempt is due", in.Status)
	case (in.Phase == saga.PhaseForward || in.Rewind != nil) && !in.DeadlinePassed && !in.DeadlineAt.IsZero() &&
		(in.WakeAt.IsZero() || in.WakeAt.After(in.DeadlineAt)):
		return "the saga sleeps past its deadline"
	}
	return ""
}

// commandsAreFresh: rule 11.
func commandsAreFresh(e edge) string {
	for _, command := range e.decision.Commands {
		i := stepOf(e.def, command.ID.Step)
		old, id := &e.before.Steps[i], command.ID
		fresh := id.Attempt == old.Attempts+1 && id.Round == old.Rewinds+1 || id.Attempt == 1 && id.Round == old.Rewinds+2
		if id.Direction == saga.Compensate {
			fresh = id.Round == old.Round && id.Attempt == old.CompensationAttempts+1 ||
				id.Round == old.Round+1 && id.Attempt == 1
		}
		if out, is := e.decision.Next.CommandOut(i); !fresh || !is || out != id {
			return fmt.Sprintf("command %s is not the next one of its step", id)
		}
	}
	return ""
}

func stepOf(def *saga.Definition, name string) int {
	return slices.IndexFunc(def.Steps, func(s saga.Step) bool { return s.Name == name })
}

// forwardInOrder: rules 1, 5 and 10.
func forwardInOrder(e edge) string {
	in := &e.decision.Next
	for _, command := range e.decision.Commands {
		if command.ID.Direction != saga.Execute {
			continue
		}
		step := &e.def.Steps[stepOf(e.def, command.ID.Step)]
		passed := !in.DeadlineAt.IsZero() && !in.DeadlineAt.After(e.at)
		if in.Phase != saga.PhaseForward || passed && step.Kind == saga.Compensatable {
			return fmt.Sprintf("command %s of a saga that must not go forward", command.ID)
		}
		for _, name := range step.After {
			status := in.Steps[stepOf(e.def, name)].Status
			if status != saga.StepSucceeded && status != saga.StepSkipped {
				return fmt.Sprintf("command %s, but %s is %s", command.ID, name, status)
			}
		}
	}
	return ""
}

// backwardInOrder: rules 5 and 6.
func backwardInOrder(e edge) string {
	in := &e.decision.Next
	for _, command := range e.decision.Commands {
		if command.ID.Direction != saga.Compensate || in.ReopenedFrom != "" {
			continue
		}
		for j := range in.Steps {
			switch status := in.Steps[j].Status; {
			case status == saga.StepRunning && !spared(e.def, in, j) || status == saga.StepRetrying && in.Rewind == nil:
				return fmt.Sprintf("command %s, but a branch is %s", command.ID, status)
			case comesAfter(e.def, j, command.ID.Step) && owed(e.def, in, j):
				return fmt.Sprintf("command %s, but a later step is %s", command.ID, status)
			}
		}
	}
	return ""
}

// comesAfter reports whether step j comes after the named step, directly or not.
func comesAfter(def *saga.Definition, j int, name string) bool {
	return slices.ContainsFunc(def.Steps[j].After, func(before string) bool {
		return before == name || comesAfter(def, stepOf(def, before), name)
	})
}
