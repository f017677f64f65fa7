package saga

import (
	"fmt"
	"time"
)

// settle derives what follows from the steps: status, attention, and the time to wake. It ends every transition.
func (t *transition) settle(in Instance) {
	n := &t.next
	before := in.Status
	n.Status = t.plan.status(n)
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
	due := t.plan.due(n, t.overdue)
	if t.woken || in.WakeAt.IsZero() || due.IsZero() || due.Before(in.WakeAt) {
		n.WakeAt = due
	}
}

// status derives a saga's status from its phase and steps.
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

// moving says whether a command is out or an attempt is due: if not, only a person can bring the saga further.
func (d *Definition) moving(in *Instance) bool {
	for i := range in.Steps {
		s := &in.Steps[i]
		if in.ReopenedFrom != "" && !s.Reopened {
			continue
		}
		if s.Status == StepRunning || s.Status == StepRetrying || s.Status == StepCompensating {
			return true
		}
	}
	return false
}

// raise sets the attention that the saga's state asks for. While the reason stays the same, so does its beginning.
func (t *transition) raise(before *Attention) {
	wanted := t.plan.attention(&t.next)
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

// attention is the most pressing reason why a person should look, without its time; nil when there is none.
func (d *Definition) attention(in *Instance) *Attention {
	if in.Phase != PhaseEnded {
		if wanted := d.usedUp(in); wanted != nil {
			return wanted
		}
	}
	for i := range in.Steps {
		if s := &in.Steps[i]; s.LateEffect || s.LateCompensation {
			return &Attention{Reason: LateEffect, Step: s.Name, Message: lateMessage(s)}
		}
	}
	switch {
	case in.Phase == PhaseEnded:
		return nil
	case in.DeadlinePassed && in.Phase == PhaseForward && d.pastPivot(in):
		return &Attention{Reason: DeadlineExceeded, Message: "the deadline passed after the saga was committed; it goes on"}
	case in.Overdue:
		return &Attention{Reason: Overdue, Message: fmt.Sprintf("no progress since %s", in.ProgressAt.UTC().Format(time.RFC3339))}
	default:
		return nil
	}
}

// usedUp finds the step whose attempts are used up although the saga cannot end without it.
func (d *Definition) usedUp(in *Instance) *Attention {
	for i := range in.Steps {
		if reason, exhausted := d.exhaustedStep(in, i); exhausted {
			s := &in.Steps[i]
			message := fmt.Sprintf("step %s: ", s.Name)
			switch reason {
			case CompensationExhausted:
				message += "its compensation failed"
			case PivotUnknown:
				message += "nobody knows whether the pivot took effect"
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

// exhaustedStep says whether step i waits for a person, and why.
func (d *Definition) exhaustedStep(in *Instance, i int) (AttentionReason, bool) {
	s := &in.Steps[i]
	failed := s.Status == StepFailed || s.Status == StepUnknown
	switch {
	case s.Status == StepCompensationFailed && d.owes(in, i):
		return CompensationExhausted, true
	case in.Phase == PhaseForward && i == d.graph.pivot && s.Status == StepUnknown:
		return PivotUnknown, true
	case in.Phase == PhaseForward && d.Steps[i].Kind == Retriable && failed:
		return RetriesExhausted, true
	default:
		return "", false
	}
}

func lateMessage(s *StepState) string {
	if s.LateCompensation {
		return fmt.Sprintf("step %s: its compensation succeeded after the saga had ended", s.Name)
	}
	return fmt.Sprintf("step %s: it took effect after the saga had counted it as not done", s.Name)
}
