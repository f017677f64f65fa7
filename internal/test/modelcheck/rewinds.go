package modelcheck

import (
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// rewoundTo returns the step to which a decision has rewound the saga, or "".
func rewoundTo(e edge) string {
	for _, entry := range e.decision.Entries {
		if entry.Type == saga.EntryRewound {
			return entry.Step
		}
	}
	return ""
}

// mayRewind reports whether the search lets operators rewind.
func (w *search) mayRewind(s *State) bool {
	return w.options.Rewinds == Often || w.options.Rewinds == Once && !s.Rewound
}

// settledBefore: a reply to an execution before a rewind changes nothing if the outcome of the execution was known.
func settledBefore(def *saga.Definition, e edge) string {
	for i := range e.before.Steps {
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		if s.Rewinds == old.Rewinds || slices.Contains(s.Unsettled, s.Rewinds) || def.Steps[i].Wait() != saga.NoWait {
			continue
		}
		id := saga.CommandID{Saga: e.before.ID, Step: s.Name, Direction: saga.Execute, Round: s.Rewinds, Attempt: 1}
		after, err := def.Transition(e.decision.Next, saga.Event{At: e.at, Cause: saga.Reply{Command: id, Succeeded: true}})
		if err != nil || after.Changed || after.Refused != nil {
			return fmt.Sprintf("a reply to %s, from before the rewind, changes something", id)
		}
	}
	return ""
}

// compensationsNameTheirExecution: rule 16.
func compensationsNameTheirExecution(e edge) string {
	for _, command := range e.decision.Commands {
		s := &e.decision.Next.Steps[stepOf(e.def, command.ID.Step)]
		wanted := ""
		if command.ID.Direction == saga.Compensate && s.Rewinds > 0 {
			executed := saga.CommandID{Saga: e.before.ID, Step: s.Name, Direction: saga.Execute, Round: s.Rewinds + 1}
			if s.Compensating > 0 {
				executed.Round = s.Compensating
			}
			wanted = executed.IdempotencyKey()
		}
		if command.Compensates != wanted {
			return fmt.Sprintf("command %s compensates %q, not %q", command.ID, command.Compensates, wanted)
		}
	}
	return ""
}

// again reports whether a rewind to a step runs step i again.
func again(def *saga.Definition, i int, to string) bool {
	return def.Steps[i].Name == to || comesAfter(def, i, to)
}

// neverHeard reports whether nothing has told the saga that the child of a step is there.
func neverHeard(s *saga.StepState) bool { return s.ChildRevision == 0 && !s.TookEffect && !s.Oversized }

// rewindsCompensateFirst: rule 16. What took effect, or may have, is compensated before it runs again.
func rewindsCompensateFirst(e edge) string {
	to := rewoundTo(e)
	if to == "" {
		return ""
	}
	for i := range e.before.Steps {
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		if !again(e.def, i, to) {
			continue
		}
		settled := e.move.Step == i && (e.move.What == CompensationSucceeds || e.move.What == ChildCompensates || e.move.Action == saga.ActionSkip ||
			e.move.What == ChildRefuses && neverHeard(old))
		if owed(e.def, e.before, i) && !settled {
			return fmt.Sprintf("%s runs again, but it was not compensated", s.Name)
		}
		timed := e.move.What == FallsDue && e.move.Timers&(1<<i) != 0 || e.move.Held&(1<<i) != 0 // else it was awaited
		if old.Status == saga.StepRunning && e.move.Step != i && !timed && !interruptible(old) {
			return fmt.Sprintf("%s runs again, but a command of it is out", s.Name)
		}
		if decidedAtOnce(e.def, i, s) {
			continue
		}
		if s.Status != saga.StepPending && s.Status != saga.StepRunning || s.TookEffect || s.CompensationAttempts > 0 {
			return fmt.Sprintf("%s was not reset by the rewind", s.Name)
		}
	}
	return ""
}

// rewindsSpareOthers: rule 16. Other steps keep their state, whatever happens in the rewind.
func rewindsSpareOthers(e edge) string {
	before, after := e.before.Rewind, e.decision.Next.Rewind
	to := rewoundTo(e)
	if before != nil && to == "" && after != nil {
		to = before.To
	}
	for i := range e.before.Steps {
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		switch {
		case s.Rewinds > old.Rewinds && (to == "" || !again(e.def, i, to)):
			return fmt.Sprintf("%s is reset without a rewind", s.Name)
		case to == "" || again(e.def, i, to) || rewoundTo(e) != "" && e.decision.Next.Phase != saga.PhaseForward: // it turned back at once
		case slices.Contains([]saga.StepStatus{saga.StepCompensating, saga.StepCompensated, saga.StepCompensationFailed}, s.Status):
			return fmt.Sprintf("%s is compensated by a rewind to %s", s.Name, to)
		}
	}
	return ""
}

// rewound gives the steps that a rewind has reset fresh workers, and checks that none is left in effect.
func (s *State) rewound(def *saga.Definition, before, after *saga.Instance, m Move) string {
	for i := range before.Steps {
		old, w := &before.Steps[i], s.Workers[i]
		if after.Steps[i].Rewinds == old.Rewinds {
			continue
		}
		if compensable(def, before, i) && w.inEffect(def, i) && def.Steps[i].Kind == saga.Compensatable && s.Waived&(1<<i) == 0 && m.Action != saga.ActionSkip {
			return fmt.Sprintf("%s runs again, but it is in effect", old.Name)
		}
		fresh := Worker{Before: (w.Before || w.happened()) && len(after.Steps[i].Unsettled) > 0}
		if after.Steps[i].Round > 1 {
			fresh.Compensated = 1 // the older rounds have nothing to compensate
		}
		s.Workers[i] = fresh
		s.Waived &^= 1 << i
	}
	return ""
}
