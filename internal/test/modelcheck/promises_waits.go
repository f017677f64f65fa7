package modelcheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// waitRules returns the checks of every edge that rules 18 to 23 ask for.
func waitRules() []func(edge) string {
	return []func(edge) string{
		signalsCountByTheRules, waitsEndForAReason, waitsBeginInOrder, turningBackEndsWaits, waitsAreNotOverdue, waitsHaveNoEffectUntilTheyEnd,
		conditionsDecideOnce, outputsGoWhereTheyBelong, commandsGetTheirInput, unfitOutputsAreNotTaken,
		childrenStartOnce, childrenAreHeard, parentsAreTold, unwindsTurnBack,
	}
}

func checkWaits(e edge) string {
	for _, rule := range waitRules() {
		if fault := rule(e); fault != "" {
			return fault
		}
	}
	return ""
}

func interruptible(s *saga.StepState) bool {
	return s.Waiting != saga.NoWait && s.Waiting != saga.WaitForChild
}

// spared reports whether a rewind is in progress that does not concern the wait of step i.
func spared(def *saga.Definition, in *saga.Instance, i int) bool {
	return in.Phase == saga.PhaseBackward && in.Steps[i].Waiting != saga.NoWait && in.Rewind != nil && !again(def, i, in.Rewind.To)
}

// compensable reports whether step i can be compensated: by a command, or because it has a child.
func compensable(def *saga.Definition, in *saga.Instance, i int) bool {
	step := &def.Steps[i]
	return step.Compensation != "" || step.Saga != "" && step.Kind == saga.Compensatable && in.Steps[i].Child() != ""
}

// decidedAtOnce reports whether a special step has ended in the moment in which its turn came.
func decidedAtOnce(def *saga.Definition, i int, s *saga.StepState) bool {
	special := def.Steps[i].When != "" || def.Steps[i].Until != ""
	return special && (s.Status == saga.StepSkipped || s.Status == saga.StepFailed || s.Status == saga.StepSucceeded)
}

// refusal returns the code with which rule 18 refuses a signal that is new to the saga, or "".
func refusal(def *saga.Definition, in *saga.Instance, i int) string {
	s := &in.Steps[i]
	forward := in.Phase == saga.PhaseScheduled || in.Phase == saga.PhaseForward || in.Rewind != nil
	switch {
	case in.Phase == saga.PhaseEnded || in.ReopenedFrom != "":
		return saga.RefusedNotApplicable
	case s.Signal != nil:
		return saga.RefusedSignalTaken
	case s.Status == saga.StepPending && forward, s.Status == saga.StepRunning:
		return ""
	case s.Status == saga.StepFailed && in.Phase == saga.PhaseForward && def.Steps[i].Kind == saga.Retriable:
		return ""
	default:
		return saga.RefusedNotApplicable
	}
}

// signalsCountByTheRules: rule 18. The first signal counts, once, and no other.
func signalsCountByTheRules(e edge) string {
	if !e.move.signals() {
		return ""
	}
	d, i := e.decision, e.move.Step
	old, s := &e.before.Steps[i], &d.Next.Steps[i]
	var wanted string
	switch e.move.What {
	case SignalRepeats, SignalKeyed, SignalEarlier:
		if d.Changed || d.Refused != nil {
			return "a signal that is repeated changes something"
		}
		return ""
	case SignalConflicts:
		wanted = saga.RefusedIdempotencyConflict
	default:
		wanted = refusal(e.def, e.before, i)
		if wanted == "" && e.move.What == SignalUnfit {
			wanted = saga.RefusedInvalidOutput
		}
	}
	switch {
	case wanted == "" && (d.Refused != nil || !d.Changed):
		return fmt.Sprintf("a signal is not taken in: %v", d.Refused)
	case wanted != "" && (d.Refused == nil || d.Refused.Code != wanted):
		return fmt.Sprintf("a signal is refused with %v, not %s", d.Refused, wanted)
	case wanted != "":
		return ""
	}
	done := saga.StepSucceeded
	if e.move.What == SignalFails {
		done = saga.StepFailed
	}
	switch {
	case s.Rewinds > old.Rewinds:
		return "" // the step ended, and a rewind that waited for it has reset it
	case old.Status == saga.StepPending && s.Status == saga.StepPending:
		if s.Signal == nil || s.Signal.Taken || (s.Signal.Error != nil) != (e.move.What == SignalFails) {
			return "a signal that comes early is not kept"
		}
	case old.Status != saga.StepPending && s.Status != done && (done == saga.StepFailed || s.Status != saga.StepCompensating):
		return fmt.Sprintf("a signal leaves its step %s", s.Status)
	}
	return ""
}

// waitsEndForAReason: rules 18 and 19. A step that waits succeeds only by what it waits for, and never early.
func waitsEndForAReason(e edge) string {
	for _, entry := range e.decision.Entries {
		i := stepOf(e.def, entry.Step)
		if i < 0 || entry.Type != saga.EntryStepSucceeded {
			continue
		}
		old, began := &e.before.Steps[i], waitsSince(e, entry.Step)
		reached := func(at time.Time) bool { return !at.IsZero() && !at.After(e.at) }
		switch e.def.Steps[i].Wait() {
		case saga.WaitForSignal:
			kept := old.Signal != nil && !old.Signal.Taken && old.Signal.Error == nil
			if e.move.What != SignalSucceeds && !kept {
				return fmt.Sprintf("%s succeeds without its signal", entry.Step)
			}
		case saga.WaitDelay:
			if began || !reached(old.DeadlineAt) {
				return fmt.Sprintf("the delay of %s ends early", entry.Step)
			}
		case saga.WaitUntil:
			past := string(e.move.Data) == `{"at":"2026-01-01T00:00:00Z"}` || e.move.Late
			if began && !past || !began && !reached(old.DeadlineAt) {
				return fmt.Sprintf("%s ends before its time", entry.Step)
			}
		case saga.WaitForChild:
			if e.move.What != ChildCompletes && e.move.What != ChildUnfit || e.move.Before {
				return fmt.Sprintf("%s succeeds without its child", entry.Step)
			}
		}
	}
	for i := range e.before.Steps {
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		timed := old.Waiting == saga.WaitDelay || old.Waiting == saga.WaitUntil || old.Waiting == saga.WaitForSignal && e.def.Steps[i].Timeout > 0
		wakes := e.move.What == FallsDue && !e.before.PausedByOperator && e.move.Timers&(1<<i) != 0
		if timed && wakes && e.before.ReopenedFrom == "" && s.Rewinds == old.Rewinds && s.Waiting != saga.NoWait && s.Attempts == old.Attempts {
			return fmt.Sprintf("the wait of %s does not end when its time has come", s.Name)
		}
	}
	return ""
}

// waitsSince reports whether the wait of a step began in this decision.
func waitsSince(e edge, step string) bool {
	return slices.ContainsFunc(e.decision.Entries, func(entry saga.Entry) bool { return entry.Type == saga.EntryStepWaits && entry.Step == step })
}

// waitsBeginInOrder: rules 1 and 13.
func waitsBeginInOrder(e edge) string {
	in := &e.decision.Next
	for _, entry := range e.decision.Entries {
		i := stepOf(e.def, entry.Step)
		if i < 0 || entry.Type != saga.EntryStepWaits && (entry.Type != saga.EntryStepSkipped || e.move.Action == saga.ActionSkip) {
			continue
		}
		if in.Status == saga.Paused {
			return "a wait begins, or a condition is decided, during a pause"
		}
		for _, name := range e.def.Steps[i].After {
			switch status := in.Steps[stepOf(e.def, name)].Status; {
			case status == saga.StepSucceeded || status == saga.StepSkipped:
			case in.Phase != saga.PhaseForward && (status == saga.StepCompensating || status == saga.StepCompensated): // it failed at once
			default:
				return fmt.Sprintf("the turn of %s came, but %s is %s", entry.Step, name, status)
			}
		}
	}
	return ""
}

// turningBackEndsWaits: rule 18. A saga that turns back ends its waits, and asks running children to compensate.
func turningBackEndsWaits(e edge) string {
	in := &e.decision.Next
	for i := range in.Steps {
		s := &in.Steps[i]
		if in.Phase != saga.PhaseBackward || in.ReopenedFrom != "" || spared(e.def, in, i) {
			continue
		}
		switch {
		case interruptible(s):
			return fmt.Sprintf("the saga turns back, and %s still waits", s.Name)
		case s.Status == saga.StepRunning && s.Waiting == saga.WaitForChild && s.CompensationAttempts == 0 && in.Status != saga.Paused:
			return fmt.Sprintf("the saga turns back, and the child of %s is not asked to", s.Name)
		}
	}
	if e.before.Rewind == nil || in.Rewind == nil {
		return ""
	}
	for i := range in.Steps { // a rewind in progress
		old, s := &e.before.Steps[i], &in.Steps[i]
		own := e.move.Step == i || e.move.What == FallsDue || e.move.Late
		if spared(e.def, e.before, i) && !own && s.Waiting != old.Waiting {
			return fmt.Sprintf("a rewind to %s ends the wait of %s", in.Rewind.To, s.Name)
		}
	}
	return ""
}

// waitsAreNotOverdue: rule 18.
func waitsAreNotOverdue(e edge) string {
	in := &e.decision.Next
	for i := range in.Steps {
		if in.Steps[i].Waiting != saga.NoWait && e.decision.Changed && in.Overdue && !e.before.Overdue {
			return "a saga that waits is overdue"
		}
	}
	return ""
}

// waitsHaveNoEffectUntilTheyEnd: rules 18 and 20. A wait that failed, and a step that was skipped, are not compensated.
func waitsHaveNoEffectUntilTheyEnd(e edge) string {
	for i := range e.before.Steps {
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		if wait := e.def.Steps[i].Wait(); wait != saga.NoWait && wait != saga.WaitForChild && s.Status == saga.StepUnknown {
			return fmt.Sprintf("the outcome of the wait %s is unknown", s.Name)
		}
		compensated := slices.ContainsFunc(e.decision.Entries, func(entry saga.Entry) bool {
			return entry.Type == saga.EntryCompensationSent && entry.Step == s.Name
		})
		conditional := e.def.Steps[i].When != "" && old.Status == saga.StepSkipped && old.Attempts == 0 && !old.TookEffect // else an operator skipped it
		waited := e.def.Steps[i].Wait() != saga.NoWait && e.def.Steps[i].Saga == "" && !old.TookEffect && !s.TookEffect
		if compensated && s.Rewinds == old.Rewinds && (conditional || waited) {
			return fmt.Sprintf("%s is compensated, but it had no effect", s.Name)
		}
	}
	for _, command := range e.decision.Commands {
		i := stepOf(e.def, command.ID.Step)
		waits := e.def.Steps[i].Wait() != saga.NoWait
		if waits && command.ID.Direction == saga.Execute || command.Waited != waits {
			return fmt.Sprintf("command %s of a step that waits: %t", command.ID, waits)
		}
	}
	return ""
}

// conditionsDecideOnce: rule 20.
func conditionsDecideOnce(e edge) string {
	i := slices.IndexFunc(e.def.Steps, func(s saga.Step) bool { return s.When != "" })
	if i < 0 {
		return ""
	}
	var has []saga.EntryType
	for _, entry := range e.decision.Entries {
		if entry.Step == e.def.Steps[i].Name {
			has = append(has, entry.Type)
		}
	}
	dispatched := slices.Contains(has, saga.EntryStepDispatched)
	s, fresh := &e.decision.Next.Steps[i], e.before.Steps[i].Attempts == 0 || rewoundTo(e) != ""
	switch {
	case e.asked > 1 || e.asked == 1 && !fresh:
		return "a condition is decided again"
	case e.asked == 0 && dispatched && fresh:
		return "a step runs whose condition was not decided"
	case e.asked == 0:
		return ""
	case e.move.Data == nil && !dispatched:
		return "the condition holds, but the step does not run"
	case e.move.Data != nil && dispatched:
		return "the condition does not hold, but the step runs"
	case string(e.move.Data) == `{"c":false}` && (s.Status != saga.StepSkipped || !slices.Contains(has, saga.EntryStepSkipped)):
		return fmt.Sprintf("the condition is false, but the step is %s", s.Status)
	case string(e.move.Data) == `{}` && (s.Status != saga.StepFailed || s.Error == nil || s.Error.Code != saga.CodeConditionFailed):
		return fmt.Sprintf("the condition has no value, but the step is %s", s.Status)
	}
	return ""
}

// outputsGoWhereTheyBelong: rule 21.
func outputsGoWhereTheyBelong(e edge) string {
	took := slices.ContainsFunc(e.decision.Entries, func(entry saga.Entry) bool {
		i := stepOf(e.def, entry.Step)
		return entry.Type == saga.EntryStepSucceeded && i >= 0 && (e.def.Steps[i].Signal != "" || e.def.Steps[i].Saga != "")
	})
	if !took || e.move.What == ChildUnfit {
		return ""
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(e.decision.Next.Data, &data); err != nil || string(data[outputName]) != fit || data["v"] != nil || data["c"] == nil {
		return fmt.Sprintf("the output is not where it belongs: %s", e.decision.Next.Data)
	}
	return ""
}

// commandsGetTheirInput: rule 21.
func commandsGetTheirInput(e edge) string {
	var given struct {
		C json.RawMessage `json:"c"`
	}
	if json.Unmarshal(e.decision.Next.Data, &given) != nil {
		return "the data is not an object"
	}
	input := `{}`
	if given.C != nil {
		input = `{"c":` + string(given.C) + `}`
	}
	for _, command := range e.decision.Commands {
		wanted := string(e.decision.Next.Data)
		if e.def.Steps[stepOf(e.def, command.ID.Step)].Input != nil {
			wanted = input
		}
		if string(command.Data) != wanted && rewoundTo(e) == "" {
			return fmt.Sprintf("command %s gets %s, not %s", command.ID, command.Data, wanted)
		}
	}
	for _, message := range e.decision.Messages {
		if message.Start != nil && string(message.Start.Data) != input {
			return fmt.Sprintf("child %s gets %s, not %s", message.Start.ID, message.Start.Data, input)
		}
	}
	return ""
}

// unfitOutputsAreNotTaken: rule 22. The step took effect, so it is unknown, or compensated at once.
func unfitOutputsAreNotTaken(e edge) string {
	if string(e.move.Out) != unfit && e.move.What != ChildUnfit {
		return ""
	}
	i := e.move.Step
	old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
	if old.Status != saga.StepRunning || e.before.Phase == saga.PhaseEnded || e.before.ReopenedFrom != "" || !e.decision.Changed || s.Rewinds > old.Rewinds {
		return ""
	}
	switch {
	case s.Status == saga.StepSucceeded || s.Status == saga.StepFailed:
		return fmt.Sprintf("an output breaks the schema, and %s is %s", s.Name, s.Status)
	case e.def.Steps[i].Kind != saga.Compensatable && s.Status == saga.StepUnknown && e.decision.Next.Phase == saga.PhaseForward && e.decision.Next.Attention == nil:
		return "an output breaks the schema, and no operator is asked"
	}
	return ""
}
