package saga

import (
	"errors"
	"fmt"
	"slices"
)

// ErrInvariant means that an instance is in a state that no sequence of events leads to: a defect, or a row that was
// edited by hand. The engine decides nothing on such an instance and never stores it.
var ErrInvariant = errors.New("invariant broken")

// Check verifies the invariants of an instance of the definition. The engine calls it after every read and before every
// write. Errors: ErrForeignInstance, ErrInvariant.
func (d *Definition) Check(in *Instance) error {
	if in.Definition != d.Name || in.Version != d.Version || len(in.Steps) != len(d.Steps) {
		return ErrForeignInstance
	}
	for _, check := range []func(*Instance) error{d.checkWhole, d.checkEnd, d.checkLiveness, d.checkDirection} {
		if err := check(in); err != nil {
			return err
		}
	}
	for i := range in.Steps {
		if err := d.checkState(in, i); err != nil {
			return err
		}
	}
	return nil
}

func broken(format string, arguments ...any) error {
	return fmt.Errorf("%w: %s", ErrInvariant, fmt.Sprintf(format, arguments...))
}

// checkWhole verifies the invariants that do not depend on the phase.
func (d *Definition) checkWhole(in *Instance) error {
	switch {
	case in.ID == "" || in.Revision < 1 || in.Entries < 1:
		return broken("an id, a revision and a history are needed")
	case len(in.Data) == 0 || in.Data[0] != '{' || len(in.Data) > MaxDataBytes:
		return broken("data must be an object of at most %d bytes", MaxDataBytes)
	case in.Status != d.status(in):
		return broken("status %s, but the steps say %s", in.Status, d.status(in))
	case in.Status.Terminal() != (in.Phase == PhaseEnded) || in.Status.Terminal() == in.FinishedAt.IsZero():
		return broken("status %s in phase %s, finished at %v", in.Status, in.Phase, in.FinishedAt)
	case in.ReopenedFrom != "" && in.Phase != PhaseBackward:
		return broken("reopened in phase %s", in.Phase)
	}
	wanted := d.attention(in)
	if (wanted == nil) != (in.Attention == nil) || wanted != nil && wanted.Reason != in.Attention.Reason {
		return broken("attention is %v, but the state asks for %v", in.Attention, wanted)
	}
	return nil
}

// checkEnd verifies what a terminal status promises.
func (d *Definition) checkEnd(in *Instance) error {
	for i := range in.Steps {
		s := &in.Steps[i]
		switch in.Status {
		case Completed:
			if s.Status != StepSucceeded && s.Status != StepSkipped {
				return broken("completed, but step %s is %s", s.Name, s.Status)
			}
		case Compensated:
			unfinished := s.Status == StepRunning || s.Status == StepRetrying || s.Status == StepCompensating
			if unfinished || d.owes(in, i) {
				return broken("compensated, but step %s is %s", s.Name, s.Status)
			}
		}
	}
	return nil
}

// checkLiveness verifies that the saga can go on. A moving saga wakes no later than its first timer, and a stuck one
// asks for attention.
func (d *Definition) checkLiveness(in *Instance) error {
	switch in.Status {
	case Stuck:
		if in.Attention == nil {
			return broken("stuck without attention")
		}
	case Completed, Compensated, Abandoned, Paused:
		if !in.WakeAt.IsZero() {
			return broken("%s, but it would wake", in.Status)
		}
		return nil
	default:
		if in.WakeAt.IsZero() {
			return broken("%s without a time to wake", in.Status)
		}
	}
	if due := d.due(in, 0); !due.IsZero() && (in.WakeAt.IsZero() || in.WakeAt.After(due)) {
		return broken("due at %v, but it wakes at %v", due, in.WakeAt)
	}
	return nil
}

// checkDirection verifies that no step is compensated in the forward phase, while a forward command is out, or after
// the pivot.
func (d *Definition) checkDirection(in *Instance) error {
	if in.Phase == PhaseEnded || in.ReopenedFrom != "" {
		return nil
	}
	if in.TurnBack != nil && (in.Phase != PhaseForward || d.graph.pivot < 0) {
		return broken("a cancel waits for a pivot whose outcome is settled")
	}
	if in.Phase == PhaseBackward && in.Failure == nil && in.Rewind == nil {
		return broken("going back without a reason")
	}
	if in.Rewind != nil && (d.step(in.Rewind.To) < 0 || in.Failure != nil || in.Phase == PhaseForward && in.TurnBack == nil) {
		return broken("a rewind that is over, or to a step that does not exist")
	}
	if in.Phase == PhaseBackward && d.graph.pivot >= 0 && in.Steps[d.graph.pivot].TookEffect && !in.Steps[d.graph.pivot].LateEffect {
		return broken("going back past the pivot")
	}
	out, compensating := false, false
	for i := range in.Steps {
		out = out || in.Steps[i].Status == StepRunning && !d.spares(in, i)
		compensating = compensating || slices.Contains(compensationStatuses(), in.Steps[i].Status)
	}
	switch {
	case compensating && in.Phase != PhaseBackward:
		return broken("a step is compensated in phase %s", in.Phase)
	case compensating && out:
		return broken("a step is compensated while a forward command is out")
	}
	return nil
}

func compensationStatuses() []StepStatus {
	return []StepStatus{StepCompensating, StepCompensated, StepCompensationFailed}
}

// checkState verifies one step: its status agrees with its counters and timers, and with the steps before and after it.
func (d *Definition) checkState(in *Instance, i int) error {
	s := &in.Steps[i]
	if s.Name != d.Steps[i].Name {
		return broken("step %d is %s, not %s", i, s.Name, d.Steps[i].Name)
	}
	if !s.consistent(&d.Steps[i]) {
		return broken("step %s: %s does not agree with its counters and timers", s.Name, s.Status)
	}
	if s.Status == StepPending || s.Compensating > 0 { // what follows is about the last execution
		return nil
	}
	for _, before := range d.graph.before[i] {
		status := in.Steps[before].Status
		if status != StepSucceeded && status != StepSkipped && !slices.Contains(compensationStatuses(), status) {
			return broken("step %s was dispatched, but %s before it is %s", s.Name, in.Steps[before].Name, status)
		}
	}
	if s.CompensationAttempts == 0 {
		return nil
	}
	if !d.compensable(in, i) {
		return broken("step %s has no compensation", s.Name)
	}
	if s.Reopened { // it was compensated by itself
		return nil
	}
	for _, later := range d.graph.descendants[i] {
		if in.Phase == PhaseBackward && d.owes(in, later) && in.Steps[later].Round == 1 && !in.Steps[later].Reopened {
			return broken("step %s is compensated before %s", s.Name, in.Steps[later].Name)
		}
	}
	return nil
}

// consistent reports whether the status of the step agrees with its other fields.
func (s *StepState) consistent(step *Step) bool {
	held := s.Status == StepRunning || s.Status == StepCompensating && s.Waiting == WaitForChild
	if s.Waiting != NoWait && (!held || s.Waiting != step.Wait()) || (s.Waiting == WaitForChild) != (held && step.Saga != "") || s.Signal != nil && step.Signal == "" {
		return false
	}
	conditional := step.When != ""
	waiting, timed := !s.NextAttemptAt.IsZero(), !s.DeadlineAt.IsZero()
	switch s.Status {
	case StepPending:
		return s.Attempts == 0 && !waiting && !timed && s.StartedAt.IsZero()
	case StepRunning:
		return s.Attempts > s.AttemptsForgiven && timed && !waiting && !s.TookEffect
	case StepRetrying:
		return s.Attempts > 0 && waiting && !timed && !s.TookEffect
	case StepSucceeded:
		return s.TookEffect && !waiting && !timed
	case StepUnknown:
		return s.Uncertain && !s.TookEffect && !waiting && !timed
	case StepFailed:
		return (s.Attempts > 0 || conditional) && !waiting && !timed
	case StepSkipped:
		return (s.Attempts > 0 || s.Compensating > 0 || conditional) && !waiting && !timed
	case StepCompensating:
		return s.CompensationAttempts > s.CompensationForgiven && waiting != timed
	case StepCompensated, StepCompensationFailed:
		return s.CompensationAttempts > 0 && !waiting && !timed
	default:
		return false
	}
}
