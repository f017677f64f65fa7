package modelcheck

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// settle holds what the saga says at its end against what has happened at the workers. What a person has decided is the
// person's: then the ledger may know better, and a late effect says so.
func (s *State) settle(plan *saga.Definition) string {
	if fault := s.pivotRule(plan); fault != "" {
		return fault
	}
	for i := range s.Saga.Steps {
		effect, state := s.Workers[i].Effect, &s.Saga.Steps[i]
		if s.Waived&(1<<i) != 0 {
			continue
		}
		switch {
		case s.Saga.Status == saga.Completed && effect != InEffect:
			return fmt.Sprintf("completed, but step %s has no effect", state.Name)
		case s.Saga.Status == saga.Compensated && plan.Steps[i].Compensation != "" && effect == InEffect:
			return fmt.Sprintf("compensated, but step %s is in effect", state.Name)
		case state.Status == saga.StepFailed && !s.Decided && effect == InEffect:
			return fmt.Sprintf("step %s is failed, but in effect", state.Name)
		case state.Status == saga.StepCompensated && effect == InEffect:
			return fmt.Sprintf("step %s is compensated, but in effect", state.Name)
		case state.Status == saga.StepPending && effect != None:
			return fmt.Sprintf("step %s is pending, but something was done", state.Name)
		}
	}
	return ""
}

// pivotRule: once the pivot took effect nothing is undone, unless a person decided without knowing.
func (s *State) pivotRule(plan *saga.Definition) string {
	if s.Decided || s.Saga.Status == saga.Abandoned || s.Saga.ReopenedFrom != "" {
		return ""
	}
	for i := range plan.Steps {
		if plan.Steps[i].Kind != saga.Pivot || s.Workers[i].Effect != InEffect {
			continue
		}
		for j := range plan.Steps {
			if s.Workers[j].Effect == Undone || s.Workers[j].Effect == Refused {
				return fmt.Sprintf("the pivot is in effect, but step %s was undone", plan.Steps[j].Name)
			}
		}
	}
	return ""
}

// decide takes down what a person has said that the workers did not.
func (s *State) decide(plan *saga.Definition, before *saga.Instance, m Move) {
	if m.What != Acts {
		return
	}
	for i := range before.Steps {
		unknownPivot := plan.Steps[i].Kind == saga.Pivot && before.Steps[i].Status == saga.StepUnknown
		if unknownPivot && (m.Action == saga.ActionCompensate || m.Action == saga.ActionSkip) {
			s.Decided = true
		}
		if s.Saga.Steps[i].Status == saga.StepSkipped && before.Steps[i].Status != saga.StepSkipped {
			s.Waived |= 1 << i
		}
	}
}
