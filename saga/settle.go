package saga

import (
	"fmt"
	"time"
)

// settle derives the status, the attention and the time to wake from the steps. It ends every transition.
func (t *transition) settle(in Instance) {
	n := &t.next
	before := in.Status
	n.Status = t.def.status(n)
	if !t.standing {
		n.ProgressAt, n.Overdue = t.now, false
	}
	if n.Status == Stuck || n.Status == Paused || n.Status.Terminal() {
		n.Overdue = false
	}
	t.raise(in.Attention)
	if n.Status == Stuck && before != Stuck && n.Attention != nil {
		t.record(EntryStuck, n.Attention.Step, 0, map[string]any{"reason": n.Attention.Reason, "message": n.Attention.Message})
	}
	n.Revision = in.Revision + 1
	n.UpdatedAt = t.now
	if n.Phase == PhaseEnded {
		n.WakeAt = time.Time{}
		return
	}
	n.FinishedAt = time.Time{}
	due := t.def.due(n, t.overdue)
	if t.woken || in.WakeAt.IsZero() || due.IsZero() || due.Before(in.WakeAt) {
		n.WakeAt = due
	}
}

// status derives the status from the phase and the steps.
func (d *Definition) status(in *Instance) Status {
	switch {
	case in.Phase == PhaseEnded:
		return in.Status
	case in.PausedByOperator:
		return Paused
	case in.Phase == PhaseScheduled:
		return Scheduled
	case !d.moving(in):
		return Stuck
	case in.Phase == PhaseBackward:
		return Compensating
	default:
		return Running
	}
}

// moving reports whether a command is out or an attempt is due. If not, only an operator can move the saga.
func (d *Definition) moving(in *Instance) bool {
	for i := range in.Steps {
		s := &in.Steps[i]
		if in.ReopenedFrom != "" && !s.Reopened {
			continue
		}
		if s.Status == StepRunning && !d.spares(in, i) || s.Status == StepRetrying && !in.AttemptHeld(i) || s.Status == StepCompensating {
			return true
		}
	}
	return false
}

// raise sets the attention that the state asks for. Since does not change while the reason stays the same.
func (t *transition) raise(before *Attention) {
	wanted := t.def.attention(&t.next)
	if wanted == nil {
		t.next.Attention = nil
		return
	}
	wanted.Since = t.now
	if before != nil && before.Reason == wanted.Reason && before.Step == wanted.Step {
		wanted.Since = before.Since
	} else {
		t.record(EntryAttention, wanted.Step, 0, map[string]any{"reason": wanted.Reason, "message": wanted.Message})
	}
	t.next.Attention = wanted
}

// attention returns the most pressing reason for an operator to look, without its time, or nil.
func (d *Definition) attention(in *Instance) *Attention {
	if in.Phase != PhaseEnded {
		if wanted := d.exhausted(in); wanted != nil {
			return wanted
		}
	}
	for i := range in.Steps {
		if s := &in.Steps[i]; s.late() {
			return &Attention{Reason: LateEffect, Step: s.Name, Message: lateMessage(s)}
		}
	}
	switch {
	case in.Phase == PhaseEnded:
		return nil
	case in.DeadlinePassed && in.Phase == PhaseForward && d.pastPivot(in):
		return &Attention{Reason: DeadlineExceeded, Message: "the deadline passed after the saga was committed, so it continues"}
	case in.Overdue:
		return &Attention{Reason: Overdue, Message: fmt.Sprintf("no progress since %s", in.ProgressAt.UTC().Format(time.RFC3339))}
	default:
		return nil
	}
}

// exhausted returns the attention for the first exhausted step without which the saga cannot end, or nil.
func (d *Definition) exhausted(in *Instance) *Attention {
	for i := range in.Steps {
		if reason, exhausted := d.exhaustedStep(in, i); exhausted {
			s := &in.Steps[i]
			message := fmt.Sprintf("step %s: ", s.Name)
			switch reason {
			case CompensationExhausted:
				message += "its compensation failed"
			case PivotUnknown:
				message += "it is unknown whether the pivot took effect"
			case InvalidOutput:
				message += "it took effect, but its output cannot be used"
			case StepFailure:
				message += "it failed finally, and the definition leaves the decision to an operator"
			default:
				message += "every attempt failed, and it must succeed"
			}
			if s.Error != nil {
				message += fmt.Sprintf(" (%s: %s)", s.Error.Code, s.Error.Message)
			}
			return &Attention{Reason: reason, Step: s.Name, Message: message}
		}
	}
	return nil
}

// exhaustedStep reports whether step i waits for an operator, and why.
func (d *Definition) exhaustedStep(in *Instance, i int) (AttentionReason, bool) {
	s := &in.Steps[i]
	failed := s.Status == StepFailed || s.Status == StepUnknown
	switch {
	case s.Status == StepCompensationFailed && d.owes(in, i):
		return CompensationExhausted, true
	case in.Phase == PhaseForward && failed && d.Steps[i].Kind != Compensatable && s.invalidOutput():
		return InvalidOutput, true
	case in.Phase == PhaseForward && i == d.graph.pivot && s.Status == StepUnknown:
		return PivotUnknown, true
	case in.Phase == PhaseForward && d.Steps[i].Kind == Retriable && failed:
		return RetriesExhausted, true
	case in.Phase == PhaseForward && d.OnFailure == Park && failed:
		return StepFailure, true
	default:
		return "", false
	}
}

// invalidOutput reports whether a worker reported success, with an output that cannot be used. Attempts that fail after an operator's
// retry do not change that.
func (s *StepState) invalidOutput() bool {
	return s.EffectKnown || s.Oversized && s.Error != nil && s.Error.Code == CodeInvalidOutput
}

// late reports whether the step took effect, or was compensated, when the saga did not expect it any more.
func (s *StepState) late() bool { return s.LateEffect || s.LateCompensation || s.EarlierEffect > 0 }

func lateMessage(s *StepState) string {
	switch {
	case s.LateCompensation:
		return fmt.Sprintf("step %s: its compensation succeeded after the saga had ended", s.Name)
	case !s.LateEffect:
		return fmt.Sprintf("step %s: an execution from before a rewind took effect, and its compensation may not have seen it", s.Name)
	}
	return fmt.Sprintf("step %s: it took effect after the saga had counted it as not done", s.Name)
}
