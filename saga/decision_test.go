package saga_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// decide is Transition with checks that hold for every decision. Its error describes a defect of the core.
func decide(def *saga.Definition, in saga.Instance, event saga.Event) (saga.Decision, error) {
	given := deepCopy(in)
	decision, err := def.Transition(in, event)
	if err != nil {
		return decision, fmt.Errorf("the core reports a defect: %w", err)
	}
	if !reflect.DeepEqual(given, in) {
		return decision, fmt.Errorf("the input instance has changed")
	}
	again, err := def.Transition(in, event)
	if err != nil || !reflect.DeepEqual(decision, again) {
		return decision, fmt.Errorf("the same input gives different decisions: %+v and %+v (%w)", decision, again, err)
	}
	return decision, checkDecision(def, given, event, decision)
}

// checkDecision checks the promises about two consecutive states, which Check cannot see.
func checkDecision(def *saga.Definition, before saga.Instance, event saga.Event, decision saga.Decision) error {
	after := decision.Next
	if err := def.Check(&after); err != nil {
		return err
	}
	for _, check := range []error{
		checkExtent(before, decision), checkWithdrawn(event, decision), checkHistory(before, event, decision), checkWake(&after),
		checkCommands(def, before, decision), checkOrder(def, decision), checkEnd(def, before, decision),
		checkRoundTrip(after.Progress),
	} {
		if check != nil {
			return check
		}
	}
	return nil
}

// checkExtent: each change increments the revision; without one, the decision has a reason and no effect.
func checkExtent(before saga.Instance, decision saga.Decision) error {
	after := decision.Next
	if decision.Changed {
		if after.Revision != before.Revision+1 || decision.Ignored != "" || decision.Refused != nil {
			return fmt.Errorf("a change from revision %d to %d, ignored %q, refused %t",
				before.Revision, after.Revision, decision.Ignored, decision.Refused != nil)
		}
		return nil
	}
	after.WakeAt = before.WakeAt // an early timer moves on
	after.Steps = slices.Clone(after.Steps)
	for i := range before.Steps {
		_, out := before.CommandOut(i)
		if out = out || before.Steps[i].Waiting == saga.WaitForSignal || before.Steps[i].Waiting == saga.WaitForChild; out && after.Steps[i].DeadlineAt.After(before.Steps[i].DeadlineAt) {
			after.Steps[i].DeadlineAt = before.Steps[i].DeadlineAt // and so does the deadline of a command in the outbox
		}
	}
	switch {
	case !reflect.DeepEqual(before, after) || len(decision.Commands) > 0 || len(decision.Entries) > 0:
		return fmt.Errorf("a decision that changes nothing has an effect")
	case (decision.Ignored == "") == (decision.Refused == nil):
		return fmt.Errorf("an event without a change must be ignored or refused: %q, %t", decision.Ignored, decision.Refused != nil)
	}
	return nil
}

// checkWithdrawn: only a command that was never sent is withdrawn, and no step awaits it.
func checkWithdrawn(event saga.Event, decision saga.Decision) error {
	in := &decision.Next
	for _, id := range decision.Withdrawn {
		if !event.HeldBack[id.String()] {
			return fmt.Errorf("command %s is withdrawn, but was not held back", id)
		}
		for i := range in.Steps {
			out, is := in.CommandOut(i)
			if is && out == id && !in.Status.Terminal() && (in.ReopenedFrom == "" || in.Steps[i].Reopened) {
				return fmt.Errorf("command %s is withdrawn, but awaited", id)
			}
		}
	}
	return nil
}

// checkHistory: entries are numbered without gaps, and carry the time of the event and the actor.
func checkHistory(before saga.Instance, event saga.Event, decision saga.Decision) error {
	actor := ""
	switch cause := event.Cause.(type) {
	case saga.Action:
		actor = cause.Actor
	case saga.Signal:
		actor = cause.Actor
	}
	for i, entry := range decision.Entries {
		if entry.Seq != before.Entries+int64(i)+1 || !entry.At.Equal(event.At) || entry.Actor != actor {
			return fmt.Errorf("entry %+v after entry %d", entry, before.Entries)
		}
	}
	if decision.Next.Entries != before.Entries+int64(len(decision.Entries)) {
		return fmt.Errorf("%d entries, but the instance counts %d", len(decision.Entries), decision.Next.Entries-before.Entries)
	}
	return nil
}

// checkWake: a moving saga wakes, no later than the first timer of its steps.
func checkWake(in *saga.Instance) error {
	if in.Status.Terminal() || in.Status == saga.Paused {
		if !in.WakeAt.IsZero() {
			return fmt.Errorf("%s, but wakes at %s", in.Status, in.WakeAt)
		}
		return nil
	}
	out := false
	for i := range in.Steps {
		s := &in.Steps[i]
		if in.ReopenedFrom != "" && !s.Reopened {
			continue
		}
		_, isOut := in.CommandOut(i)
		held := s.Status == saga.StepRetrying && in.Phase == saga.PhaseBackward // until the end of a rewind
		spared := s.Waiting != saga.NoWait && in.Phase == saga.PhaseBackward && // by a rewind
			(s.Waiting != saga.WaitForChild || in.Rewind != nil && s.Status == saga.StepRunning && s.CompensationAttempts == 0)
		out = out || isOut || s.Waiting != saga.NoWait && !spared || !s.NextAttemptAt.IsZero() && !held
		for _, at := range []time.Time{s.DeadlineAt, s.NextAttemptAt} {
			if !held && !at.IsZero() && (in.WakeAt.IsZero() || in.WakeAt.After(at)) {
				return fmt.Errorf("step %s is due at %s, but the saga wakes at %s", s.Name, at, in.WakeAt)
			}
		}
	}
	switch {
	case in.Status == saga.Stuck && out:
		return fmt.Errorf("stuck, but a step still moves")
	case in.Status != saga.Stuck && in.WakeAt.IsZero():
		return fmt.Errorf("%s, but without a time to wake", in.Status)
	case (in.Status == saga.Running || in.Status == saga.Compensating) && !out:
		return fmt.Errorf("%s, but no command is out and none will be sent", in.Status)
	}
	return nil
}

// checkCommands: every command has a new id and carries the data as of its dispatch.
func checkCommands(def *saga.Definition, before saga.Instance, decision saga.Decision) error {
	for _, command := range decision.Commands {
		i := slices.IndexFunc(before.Steps, func(s saga.StepState) bool { return s.Name == command.ID.Step })
		old, id, selects := before.Steps[i], command.ID, def.Steps[i].Input != nil
		fresh := id.Round == old.Rewinds+1 && id.Attempt == old.Attempts+1 || id.Round == old.Rewinds+2 && id.Attempt == 1
		if id.Direction == saga.Compensate {
			fresh = id.Round == old.Round && id.Attempt == old.CompensationAttempts+1 || id.Round == old.Round+1 && id.Attempt == 1
		}
		parsed, err := saga.ParseCommandID(id.String())
		switch out, is := decision.Next.CommandOut(i); {
		case !fresh:
			return fmt.Errorf("command %s after attempt %d (%d of compensation %d)",
				id, old.Attempts, old.CompensationAttempts, old.Round)
		case err != nil || parsed != id || id.Saga != before.ID:
			return fmt.Errorf("command %s is read as %s: %w", id, parsed, err)
		case !is || out != id:
			return fmt.Errorf("command %s is sent, but %s is out", id, out)
		case string(command.Data) != string(decision.Next.Data) && !selects:
			return fmt.Errorf("command %s carries %s, but the data is %s", id, command.Data, decision.Next.Data)
		}
	}
	return nil
}

// checkOrder: steps are dispatched after their predecessors, and compensated after their successors, while no forward
// command is out.
func checkOrder(def *saga.Definition, decision saga.Decision) error {
	in := decision.Next
	for _, command := range decision.Commands {
		i := slices.IndexFunc(def.Steps, func(s saga.Step) bool { return s.Name == command.ID.Step })
		if in.Status == saga.Paused || in.Status.Terminal() {
			return fmt.Errorf("command %s of a saga that is %s", command.ID, in.Status)
		}
		for j := range def.Steps {
			status := in.Steps[j].Status
			before := slices.Contains(def.Steps[i].After, def.Steps[j].Name)
			switch {
			case command.ID.Direction == saga.Execute && before && status != saga.StepSucceeded && status != saga.StepSkipped:
				return fmt.Errorf("command %s, but %s is %s", command.ID, in.Steps[j].Name, status)
			case command.ID.Direction == saga.Execute || in.ReopenedFrom != "":
			case in.Rewind != nil && in.Steps[j].Waiting != saga.NoWait: // spared by the rewind
			case status == saga.StepRunning || status == saga.StepRetrying && in.Rewind == nil:
				return fmt.Errorf("command %s, but %s is %s", command.ID, in.Steps[j].Name, status)
			case comesAfter(def, j, i) && owed(def, &in, j):
				return fmt.Errorf("command %s, but %s is %s", command.ID, in.Steps[j].Name, status)
			}
		}
	}
	return nil
}

// checkEnd: a terminal status agrees with the steps, and stays unless an operator reopens the saga.
func checkEnd(def *saga.Definition, before saga.Instance, decision saga.Decision) error {
	after := decision.Next
	if before.Status.Terminal() && after.Status != before.Status {
		reopened := slices.ContainsFunc(decision.Entries, func(e saga.Entry) bool { return e.Type == saga.EntryReopened })
		if before.Parent != nil && reopened { // the parent asked for it
			return nil
		}
		if !reopened || before.Attention == nil || before.Attention.Reason != saga.LateEffect {
			return fmt.Errorf("%s, then %s", before.Status, after.Status)
		}
	}
	for i := range after.Steps {
		status := after.Steps[i].Status
		switch {
		case after.Status == saga.Completed && status != saga.StepSucceeded && status != saga.StepSkipped,
			after.Status == saga.Compensated && (owed(def, &after, i) || status == saga.StepRunning || status == saga.StepRetrying):
			return fmt.Errorf("%s, but step %s is %s", after.Status, after.Steps[i].Name, status)
		}
	}
	return nil
}

// owed reports whether a step took effect, or may have, and is not compensated yet although it can be.
func owed(def *saga.Definition, in *saga.Instance, i int) bool {
	switch in.Steps[i].Status {
	case saga.StepSucceeded, saga.StepUnknown, saga.StepCompensating, saga.StepCompensationFailed:
		return def.Steps[i].Compensation != ""
	default:
		return false
	}
}

// comesAfter reports whether step j comes after step i, directly or not.
func comesAfter(def *saga.Definition, j, i int) bool {
	return slices.ContainsFunc(def.Steps[j].After, func(name string) bool {
		k := slices.IndexFunc(def.Steps, func(s saga.Step) bool { return s.Name == name })
		return k == i || comesAfter(def, k, i)
	})
}

// checkRoundTrip: the progress survives JSON.
func checkRoundTrip(progress saga.Progress) error {
	text, err := json.Marshal(progress)
	if err != nil {
		return fmt.Errorf("write progress: %w", err)
	}
	var read saga.Progress
	if err := json.Unmarshal(text, &read); err != nil {
		return fmt.Errorf("read progress: %w", err)
	}
	if !reflect.DeepEqual(progress, read) {
		return fmt.Errorf("progress is lost on its way through JSON: %+v became %+v", progress, read)
	}
	return nil
}

// deepCopy returns a copy that shares nothing.
func deepCopy(in saga.Instance) saga.Instance {
	in.Data, in.Labels = slices.Clone(in.Data), maps.Clone(in.Labels)
	in.Attention, in.TurnBack, in.Failure = copied(in.Attention), copied(in.TurnBack), copied(in.Failure)
	if in.Rewind = copied(in.Rewind); in.Rewind != nil {
		in.Rewind.Patch = slices.Clone(in.Rewind.Patch)
	}
	in.Steps = slices.Clone(in.Steps)
	for i := range in.Steps {
		in.Steps[i].Unsettled = slices.Clone(in.Steps[i].Unsettled)
		in.Steps[i].Output, in.Steps[i].Error = slices.Clone(in.Steps[i].Output), copied(in.Steps[i].Error)
	}
	return in
}

func copied[T any](value *T) *T {
	if value == nil {
		return nil
	}
	return new(*value)
}
