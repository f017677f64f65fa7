package saga

import "slices"

// AllowedActions returns the actions that the saga accepts now, in a fixed order.
func (d *Definition) AllowedActions(in *Instance) []ActionName {
	switch in.Status {
	case Scheduled:
		return []ActionName{ActionCompensate, ActionPause, ActionAbandon}
	case Running, Compensating:
		return append(d.allowedBack(in), ActionPause, ActionAbandon)
	case Paused:
		allowed := append([]ActionName{ActionResume, ActionPatchData}, d.allowedBack(in)...)
		return append(allowed, ActionAbandon)
	case Stuck:
		allowed := append([]ActionName{ActionRetry, ActionSkip}, d.allowedBack(in)...)
		return append(allowed, ActionPatchData, ActionAbandon)
	default:
		return d.allowedAfterEnd(in)
	}
}

// allowedBack returns the actions that take an unfinished saga back.
func (d *Definition) allowedBack(in *Instance) []ActionName {
	var allowed []ActionName
	settles := d.pivotUnknown(in) && !in.Steps[d.graph.pivot].invalidOutput()
	if settles || in.Parent == nil && (in.Phase == PhaseScheduled || d.mayTurnBack(in)) { // a child is cancelled through its parent

		allowed = append(allowed, ActionCompensate)
	}
	if d.mayRewind(in) {
		allowed = append(allowed, ActionRewind)
	}
	return allowed
}

// allowedAfterEnd returns the actions on a terminal saga: only a late effect or late compensation allows any.
func (d *Definition) allowedAfterEnd(in *Instance) []ActionName {
	var allowed []ActionName
	for i := range in.Steps {
		if !in.Steps[i].late() {
			continue
		}
		if d.mayReopen(in, i) {
			return []ActionName{ActionCompensate, ActionAcknowledge}
		}
		allowed = []ActionName{ActionAcknowledge}
	}
	return allowed
}

// mayReopen reports whether step i took effect late and can still be compensated. The effect of an execution from before
// a rewind can be, unless that of the last execution may stand beside it.
func (d *Definition) mayReopen(in *Instance, i int) bool {
	s := &in.Steps[i]
	if !d.compensable(in, i) {
		return false
	}
	alone := s.Status == StepCompensated || s.Status == StepFailed || s.Status == StepPending
	settled := s.TookEffect || !s.Uncertain
	return s.LateEffect || s.EarlierEffect > 0 && alone && settled
}

// mayTurnBack reports whether a saga can still be cancelled: in its forward phase, or while it is rewound.
func (d *Definition) mayTurnBack(in *Instance) bool {
	if in.Rewind != nil {
		return !d.pastPivot(in) && !d.pivotUnknown(in)
	}
	return d.mayRewind(in)
}

// mayRewind reports whether a saga in its forward phase can go back.
func (d *Definition) mayRewind(in *Instance) bool {
	return in.Phase == PhaseForward && in.TurnBack == nil && !d.pastPivot(in) && !d.pivotUnknown(in)
}

// pastPivot reports whether the saga is committed, so that it can only go forward.
func (d *Definition) pastPivot(in *Instance) bool {
	if d.graph.forwardOnly {
		return true
	}
	if d.graph.pivot < 0 {
		return false
	}
	status := in.Steps[d.graph.pivot].Status
	return status == StepSucceeded || status == StepSkipped
}

// pivotUnknown reports whether neither direction is safe, because the pivot may have taken effect.
func (d *Definition) pivotUnknown(in *Instance) bool {
	return in.Phase == PhaseForward && d.graph.pivot >= 0 && in.Steps[d.graph.pivot].Status == StepUnknown
}

func (d *Definition) allows(in *Instance, action ActionName) bool {
	return slices.Contains(d.AllowedActions(in), action)
}
