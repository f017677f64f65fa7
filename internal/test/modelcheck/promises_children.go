package modelcheck

import (
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// childrenStartOnce: rule 23. Each turn of the step starts one child, under a new id; only a child that exists is turned back.
func childrenStartOnce(e edge) string {
	started := make(map[string]int)
	for _, message := range e.decision.Messages {
		i := stepOf(e.def, message.ID.Step)
		if i < 0 {
			continue
		}
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		switch {
		case message.Start != nil:
			started[s.Name]++
			compensatable := e.def.Steps[i].Kind == saga.Compensatable
			if message.Start.ID != s.Child() || slices.Contains(old.Children, message.Start.ID) || message.Start.Compensatable != compensatable {
				return fmt.Sprintf("the child %s is not a new one", message.Start.ID)
			}
			if in := &e.decision.Next; in.Phase == saga.PhaseEnded || in.Status == saga.Paused {
				return "a saga that has ended, or is paused, starts a child"
			}
		case message.Unwind != nil:
			if message.Unwind.ID != s.Child() || e.def.Steps[i].Kind != saga.Compensatable || e.decision.Next.Phase != saga.PhaseBackward {
				return fmt.Sprintf("the child %s must not be turned back", message.Unwind.ID)
			}
		}
	}
	for i := range e.def.Steps {
		name := e.def.Steps[i].Name
		waits := 0
		for _, entry := range e.decision.Entries {
			if entry.Type == saga.EntryStepWaits && entry.Step == name && e.def.Steps[i].Saga != "" {
				waits++
			}
		}
		if started[name] != waits || waits > 1 {
			return fmt.Sprintf("%s waits for a child %d times, and starts %d", name, waits, started[name])
		}
	}
	return ""
}

// childrenAreHeard: rule 23. What a child reports decides its step; what an earlier child reports changes nothing.
func childrenAreHeard(e edge) string {
	if !e.move.reports() {
		return ""
	}
	i := e.move.Step
	old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
	ended := e.before.Phase == saga.PhaseEnded || e.before.ReopenedFrom != "" && !old.Reopened
	switch {
	case (e.move.Before || e.move.Older) && e.decision.Changed:
		return "a report that is old changes something"
	case e.move.Before || e.move.Older || s.Rewinds > old.Rewinds || ended:
		return ""
	case e.move.What == ChildDeclines && old.Status == saga.StepRunning && e.decision.Changed:
		return "a child that declines, and goes on, is given up"
	case e.move.What == ChildDeclines && old.Status == saga.StepRunning:
		return ""
	case old.Status == saga.StepRunning && !e.decision.Changed:
		return "the report of a child is dropped"
	case old.Status == saga.StepRunning && s.Status == saga.StepRunning && s.Attempts == old.Attempts:
		return "a step waits for a child that has ended"
	case e.move.What == ChildCompensates && (old.Status == saga.StepCompensating || old.Status == saga.StepCompensationFailed) && s.Status != saga.StepCompensated:
		return fmt.Sprintf("the child is compensated, but its step is %s", s.Status)
	case e.move.What == ChildCompensates && old.Status == saga.StepRunning && s.Status != saga.StepFailed && !old.Uncertain:
		return fmt.Sprintf("the child is compensated, but its step is %s", s.Status)
	case e.move.What == ChildAbandons && old.Status == saga.StepRunning && s.Status != saga.StepUnknown && s.Status != saga.StepCompensating:
		return fmt.Sprintf("the child is abandoned, but its step is %s", s.Status)
	}
	return ""
}

// parentsAreTold: rule 23. A child tells its parent of each end, once.
func parentsAreTold(e edge) string {
	told := 0
	for _, message := range e.decision.Messages {
		if message.Ended != nil {
			told++
		}
	}
	in, wanted := &e.decision.Next, 0
	if in.Parent != nil && in.Status.Terminal() && e.before.Status != in.Status {
		wanted = 1
	}
	if told != wanted {
		return fmt.Sprintf("%d reports of an end to the parent, not %d", told, wanted)
	}
	return ""
}

// unwindsTurnBack: rule 23. A parent that turns back turns its child back whatever its status, unless that is past its pivot.
func unwindsTurnBack(e edge) string {
	in, after := e.before, &e.decision.Next
	if in.Parent != nil && e.move.Action == saga.ActionCompensate && e.move.What == Acts && in.Phase != saga.PhaseEnded && !pivotUnknown(e.def, in) && e.decision.Refused == nil {
		return "a child is cancelled by an operator"
	}
	if e.move.What != Unwinds {
		return ""
	}
	for i := range after.Steps {
		if s := &after.Steps[i]; in.Phase == saga.PhaseEnded && e.decision.Changed && s.Status == saga.StepRunning && s.Waiting == saga.WaitForChild && !asks(e, s.Name) {
			return fmt.Sprintf("the saga opens again, and does not ask the child of %s", s.Name)
		}
	}
	committed := pivotUnknown(e.def, in) || !slices.ContainsFunc(e.def.Steps, func(s saga.Step) bool { return s.Kind != saga.Retriable })
	for i := range e.def.Steps {
		done := in.Steps[i].Status == saga.StepSucceeded || in.Steps[i].Status == saga.StepSkipped
		over := in.Phase == saga.PhaseEnded || in.ReopenedFrom != ""
		left := over && (in.Steps[i].TookEffect || slices.Contains([]saga.StepStatus{saga.StepRunning, saga.StepRetrying, saga.StepUnknown}, in.Steps[i].Status))
		committed = committed || e.def.Steps[i].Kind == saga.Pivot && (done || left)
	}
	over := in.Status == saga.Compensated
	switch {
	case over && e.decision.Changed:
		return "a compensated child is turned back"
	case committed && !over && e.decision.Refused == nil:
		return "a child past its pivot is turned back"
	case committed || over:
		return ""
	case after.Status != saga.Compensated && (after.Phase != saga.PhaseBackward || after.Rewind != nil || after.ReopenedFrom != "") && after.TurnBack == nil:
		return fmt.Sprintf("a child does not turn back: it is %s", after.Status)
	case after.Status == saga.Paused && (in.Phase != saga.PhaseBackward && in.TurnBack == nil || in.Rewind != nil):
		return "a child that is turned back stays paused"
	}
	return ""
}

// asks reports whether the decision turns back the child of a step.
func asks(e edge, step string) bool {
	return slices.ContainsFunc(e.decision.Messages, func(m saga.Message) bool { return m.Unwind != nil && m.ID.Step == step })
}

func pivotUnknown(def *saga.Definition, in *saga.Instance) bool {
	return in.Phase == saga.PhaseForward && slices.ContainsFunc(in.Steps, func(s saga.StepState) bool {
		return s.Status == saga.StepUnknown && def.Steps[stepOf(def, s.Name)].Kind == saga.Pivot
	})
}
