package ui

import (
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// actionInfo describes an action of an operator.
type actionInfo struct {
	Name   string
	Title  string
	About  string // what it does, before it is done
	Reason bool   // it requires a reason
	Step   string // how it uses a step: "", "optional" or "required"
	Output bool   // it takes an output
	Patch  bool   // it takes changes of the data
	To     bool   // it goes back to a step
	Danger bool   // it cannot be reversed
	Main   bool   // what most often helps
}

// actionInfos returns the actions, in the order in which to offer them.
func actionInfos() []actionInfo {
	return []actionInfo{
		{Name: "retry", Title: "Retry", Main: true, Step: "optional", About: "Sends the command of every exhausted step again, with fresh attempts. Use it once the cause is repaired."},
		{Name: "resume", Title: "Resume", Main: true, About: "Lets the saga go on. What became due while it was paused is done now."},
		{Name: "patch_data", Title: "Fix data", Reason: true, Patch: true, About: "Changes the data that the next commands carry. Commands that are out keep theirs."},
		{Name: "skip", Title: "Skip step", Reason: true, Step: "required", Output: true, About: "Counts an exhausted step or compensation as done, because you have done it by hand, or know that it took effect. Its command is not sent again."},
		{Name: "rewind", Title: "Rewind", Reason: true, To: true, Danger: true, About: "Compensates a step and every step after it, then goes forward again from there."},
		{Name: "acknowledge", Title: "Acknowledge", Reason: true, About: "Records that you have dealt with the late effect. Nothing is sent."},
		{Name: "pause", Title: "Pause", About: "Stops sending commands. Replies are still taken in. Resume continues."},
		{Name: "compensate", Title: "Cancel and compensate", Reason: true, Step: "late", Danger: true, About: "Turns the saga back: what took effect is compensated, in reverse order. Where the outcome of the pivot is unknown, this declares that it did not take effect."},
		{Name: "abandon", Title: "Abandon", Reason: true, Danger: true, About: "Ends the saga as it stands. Nothing is compensated; what is half done stays half done."},
	}
}

// actionNamed returns the description of an action.
func actionNamed(name string) (actionInfo, bool) {
	all := actionInfos()
	i := slices.IndexFunc(all, func(a actionInfo) bool { return a.Name == name })
	if i < 0 {
		return actionInfo{}, false
	}
	return all[i], true
}

// forSaga returns the action as it concerns a saga: where the outcome of a step is unknown, an action declares it.
func (a actionInfo) forSaga(s *resource.Saga) actionInfo {
	if s.Attention == nil {
		return a
	}
	switch step := string(s.Attention.Step); {
	case s.Attention.Reason == saga.PivotUnknown && a.Name == "compensate":
		a.About = "Declares that the pivot, step " + step + ", did not take effect, and turns the saga back: what took effect before it is compensated, " +
			"in reverse order. Nothing compensates the pivot: if it did take effect, it stays."
	case s.Attention.Reason == saga.PivotUnknown && a.Name == "skip":
		a.About = "Declares that the pivot, step " + step + ", did take effect, and lets the saga go on. Its command is not sent again."
	case s.Attention.Reason == saga.InvalidOutput && a.Name == "skip":
		a.About = "Counts step " + step + ", which took effect, as done, with the output that you give. Its command is not sent again."
	}
	return a
}

// allowedOf returns the actions that apply to a saga now.
func allowedOf(names []saga.ActionName) []actionInfo {
	return slices.DeleteFunc(actionInfos(), func(a actionInfo) bool { return !slices.Contains(names, saga.ActionName(a.Name)) })
}

// stepsFor returns the steps that an action may name.
func stepsFor(a actionInfo, s resource.Saga) []string {
	var names []string
	for _, step := range s.Steps {
		fits := false
		switch {
		case a.To:
			fits = step.Status != saga.StepPending && step.Kind == saga.Compensatable
		case a.Step == "late":
			fits = s.Attention != nil && s.Attention.Reason == saga.LateEffect && step.Status != saga.StepPending
		case a.Step != "":
			fits = slices.Contains([]saga.StepStatus{saga.StepFailed, saga.StepUnknown, saga.StepCompensationFailed}, step.Status)
		}
		if fits {
			names = append(names, step.Name)
		}
	}
	if a.Step != "" && s.Attention != nil && s.Attention.Step != "" { // the step that needs attention comes first
		name := string(s.Attention.Step)
		if i := slices.Index(names, name); i > 0 {
			names = slices.Insert(slices.Delete(names, i, i+1), 0, name)
		}
	}
	return names
}
