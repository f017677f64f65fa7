package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// LostChild is a child that does not report its end to its parent: its row was deleted or changed by hand.
type LostChild struct {
	Status     saga.Status // at its end; "": the row does not exist
	Unreadable bool
}

// Awaited returns the positions of the steps that wait for a child; the api package looks at these children.
func (e Evidence) Awaited() (steps []int) {
	if e.Instance.Status != saga.Running && e.Instance.Status != saga.Compensating {
		return nil
	}
	for i := range e.Instance.Steps {
		if step := &e.Instance.Steps[i]; step.Waiting == saga.WaitForChild && step.Child() != "" {
			steps = append(steps, i)
		}
	}
	return steps
}

// lost returns the child that step i waits for, if it will not report.
func (e Evidence) lost(i int) (child LostChild, lost bool) {
	step := &e.Instance.Steps[i]
	if step.Waiting != saga.WaitForChild {
		return LostChild{}, false
	}
	child, lost = e.Lost[step.Child()]
	return child, lost
}

// lostMessage explains a step whose child will not report its end.
func (e Evidence) lostMessage(i int) string {
	step := &e.Instance.Steps[i]
	child, _ := e.lost(i)
	text := fmt.Sprintf("Step %s waits for its child saga %s, ", step.Name, step.Child())
	switch {
	case child.Status == "":
		text += "but the row of that saga is gone, so it will not report its end. When the saga next looks at it, it counts as abandoned."
	case child.Unreadable && child.Status != saga.Abandoned:
		text += fmt.Sprintf("which is %s by its row, but that cannot be read, so no end is reported. Restore the row as it was: the child "+
			"goes on, or the saga takes its end over when it next looks at it.", child.Status)
	default:
		text += fmt.Sprintf("which is %s, but no report of that is on its way: its row may have been changed by hand. The saga takes "+
			"that end over when it next looks at the child.", child.Status)
	}
	back := e.allowedOf(saga.ActionCompensate, saga.ActionRewind)
	switch {
	case back == "" || e.Definition.Steps[i].Kind != saga.Compensatable:
		return text + " Before that, the saga can only be abandoned."
	case child.Status == "":
		return text + fmt.Sprintf(" To go on before that, %s the saga: the compensation of step %s then fails with %s. Compensate by "+
			"hand what the child did, and skip it. Or abandon the saga.", back, step.Name, saga.CodeChildGone)
	default:
		return text + fmt.Sprintf(" To go back before that, %s the saga, which asks the child to compensate. Or abandon the saga.", back)
	}
}

// orphanMessage says what applies to a child that can no longer be cancelled through its parent.
func (e Evidence) orphanMessage() string {
	allowed := e.allowedOf(saga.ActionRewind, saga.ActionPause, saga.ActionAbandon)
	return fmt.Sprintf(" The row of its parent, saga %s, is gone, so the saga cannot be cancelled through it. An operator can %s it.",
		e.Instance.Parent.Saga, allowed)
}

// allowedOf returns those of the actions that apply now, joined by "or".
func (e Evidence) allowedOf(actions ...saga.ActionName) string {
	allowed := e.Definition.AllowedActions(e.Instance)
	var names []string
	for _, action := range actions {
		if slices.Contains(allowed, action) {
			names = append(names, string(action))
		}
	}
	return strings.Join(names, " or ")
}

// compensationMessage explains a compensation that needs an operator. That of a child saga has no worker.
func (e Evidence) compensationMessage(name string) string {
	i := e.position(name)
	if i == noStep || e.Definition.Steps[i].Wait() != saga.WaitForChild || e.Instance.Steps[i].Error == nil {
		return fmt.Sprintf("Every attempt to compensate step %s has failed. Repair its worker and retry, or compensate the step "+
			"by hand and skip it.", name)
	}
	step := &e.Instance.Steps[i]
	text := fmt.Sprintf("The compensation of step %s failed with %s: ", name, step.Error.Code)
	switch step.Error.Code {
	case saga.CodeChildGone:
		text += fmt.Sprintf("the row of its child saga %s no longer exists, so the child cannot be compensated, and a retry fails unless "+
			"the row is restored. Compensate by hand what the child did", step.Child())
	case saga.CodeChildUnreadable:
		text += fmt.Sprintf("the row of its child saga %s cannot be read, so the child cannot be compensated. Repair the row and retry, or "+
			"compensate by hand what the child did", step.Child())
	case saga.CodeChildAbandoned:
		text += fmt.Sprintf("its child saga %s was abandoned. Retry, which opens it again and compensates it, or compensate by hand what "+
			"the child did", step.Child())
	default:
		text += fmt.Sprintf("see why its child saga %s was not compensated, mend that and retry, or compensate by hand what the child did",
			step.Child())
	}
	return text + " and skip the step."
}
