package saga

import "slices"

// AllowedActions returns the actions that the saga accepts now, in a fixed order.
func (d *Definition) AllowedActions(in *Instance) []ActionName {
	switch in.Status {
	case Scheduled:
		return []ActionName{ActionCompensate, ActionPause, ActionAbandon}
	case Running:
		if d.mayTurnBack(in) {
			return []ActionName{ActionCompensate, ActionPause, ActionAbandon}
		}
		return []ActionName{ActionPause, ActionAbandon}
	case Compensating:
		return []ActionName{ActionPause, ActionAbandon}
	case Paused:
		if in.Phase == PhaseScheduled || d.mayTurnBack(in) {
			return []ActionName{ActionResume, ActionPatchData, ActionCompensate, ActionAbandon}
		}
		return []ActionName{ActionResume, ActionPatchData, ActionAbandon}
	case Stuck:
		if d.pivotUnknown(in) || d.mayTurnBack(in) {
			return []ActionName{ActionRetry, ActionSkip, ActionCompensate, ActionPatchData, ActionAbandon}
		}
		return []ActionName{ActionRetry, ActionSkip, ActionPatchData, ActionAbandon}
	default:
		return d.allowedAfterEnd(in)
	}
}

// allowedAfterEnd returns the actions on a terminal saga: only a late effect or late compensation allows any.
func (d *Definition) allowedAfterEnd(in *Instance) []ActionName {
	var allowed []ActionName
	for i := range in.Steps {
		if !in.Steps[i].LateEffect && !in.Steps[i].LateCompensation {
			continue
		}
		if d.mayReopen(in, i) {
			return []ActionName{ActionCompensate, ActionAcknowledge}
		}
		allowed = []ActionName{ActionAcknowledge}
	}
	return allowed
}

// mayReopen reports whether step i took effect after the end of the saga and can still be compensated.
func (d *Definition) mayReopen(in *Instance, i int) bool {
	return in.Steps[i].LateEffect && d.Steps[i].Compensation != ""
}

// mayTurnBack reports whether a saga in its forward phase can still be cancelled.
func (d *Definition) mayTurnBack(in *Instance) bool {
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
