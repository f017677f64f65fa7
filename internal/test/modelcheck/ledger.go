package modelcheck

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// settle compares the end of the saga with what happened at the workers. Steps on which an operator decided are exempt:
// the ledger may know better, and a late effect reports that.
func (s *State) settle(def *saga.Definition) string {
	if fault := s.pivotRule(def); fault != "" {
		return fault
	}
	for i := range s.Saga.Steps {
		if fault := s.settleChild(def, i); fault != "" {
			return fault
		}
		effect, state := s.Workers[i].Effect, &s.Saga.Steps[i]
		switch skipped := state.Status == saga.StepSkipped && state.Attempts == 0; {
		case s.Waived&(1<<i) != 0:
			continue
		case skipped && effect != None:
			return fmt.Sprintf("step %s is skipped, but its worker did something", state.Name)
		case skipped:
			continue
		}
		switch {
		case s.Saga.Status == saga.Completed && effect != InEffect:
			return fmt.Sprintf("completed, but step %s has no effect", state.Name)
		case s.Saga.Status == saga.Compensated && compensable(def, &s.Saga, i) && effect == InEffect:
			return fmt.Sprintf("compensated, but step %s is in effect", state.Name)
		case state.Status == saga.StepFailed && !s.Decided && effect == InEffect:
			return fmt.Sprintf("step %s is failed, but in effect", state.Name)
		case state.Status == saga.StepCompensated && effect == InEffect:
			return fmt.Sprintf("step %s is compensated, but in effect", state.Name)
		case state.Status == saga.StepPending && effect != None:
			return fmt.Sprintf("step %s is pending, but its worker did something", state.Name)
		}
	}
	return ""
}

// pivotRule: once the pivot took effect no step is compensated, unless an operator decided without knowing.
func (s *State) pivotRule(def *saga.Definition) string {
	if s.Decided || s.Saga.Status == saga.Abandoned || s.Saga.ReopenedFrom != "" {
		return ""
	}
	for i := range def.Steps {
		if def.Steps[i].Kind != saga.Pivot || s.Workers[i].Effect != InEffect {
			continue
		}
		for j := range def.Steps {
			if own := def.Steps[j].Saga != "" && def.Steps[j].Kind != saga.Compensatable; own {
				continue // a child that failed by itself
			}
			if s.Workers[j].Effect == Compensated || s.Workers[j].Effect == Refused {
				return fmt.Sprintf("the pivot is in effect, but step %s was compensated", def.Steps[j].Name)
			}
		}
	}
	return ""
}

// recordDecision records what an operator decided without the workers.
func (s *State) recordDecision(def *saga.Definition, before *saga.Instance, m Move) {
	if m.What != Acts {
		return
	}
	for i := range before.Steps {
		unknownPivot := def.Steps[i].Kind == saga.Pivot && before.Steps[i].Status == saga.StepUnknown
		if unknownPivot && (m.Action == saga.ActionCompensate || m.Action == saga.ActionSkip) {
			s.Decided = true
		}
		if s.Saga.Steps[i].Status == saga.StepSkipped && before.Steps[i].Status != saga.StepSkipped {
			s.Waived |= 1 << i
		}
	}
}
