package saga

import (
	"slices"
	"strings"
)

// Settings of a queue may hold a command back before it is sent. When its saga turns back, the command is withdrawn: the
// step has had no effect by this attempt, exactly as one that waits for its next attempt (rule 5).

// heldBack reports whether the execute command of step i is out, but was never sent.
func (t *transition) heldBack(i int) bool {
	id, out := t.next.CommandOut(i)
	return out && id.Direction == Execute && t.held[id.String()]
}

// withdraw takes the command of step i back. The caller ends the step.
func (t *transition) withdraw(i int) {
	id, _ := t.next.CommandOut(i)
	t.withdrawn = append(t.withdrawn, id)
	if s := &t.next.Steps[i]; s.Error == nil { // else it says why an earlier attempt failed
		s.Error = &StepError{Code: CodeCancelled, Message: "the saga turned back before the command was sent"}
	}
}

// withdrawHeld withdraws what is found to be held back after the saga has turned back.
func (t *transition) withdrawHeld() {
	for i := range t.next.Steps {
		awaited := t.next.Phase == PhaseBackward || t.next.TurnBack != nil && i == t.def.graph.pivot
		if awaited && t.active(i) && t.getsNoRetry(i) && t.heldBack(i) {
			t.progress()
			t.withdraw(i)
			t.failFinally(i)
		}
	}
}

// withdrawUnawaited withdraws what is held back although no step awaits it any more: the saga has ended, or another attempt
// succeeded. What is withdrawn for an event that changes nothing else was left by an earlier one.
func (t *transition) withdrawUnawaited() {
	for held := range t.held {
		id, err := ParseCommandID(held)
		if err != nil || slices.Contains(t.withdrawn, id) {
			continue
		}
		i := t.def.step(id.Step)
		if out, is := t.commandOut(i); !is || out != id || !t.active(i) {
			t.withdrawn = append(t.withdrawn, id)
		}
	}
	slices.SortFunc(t.withdrawn, func(a, b CommandID) int { return strings.Compare(a.String(), b.String()) })
}

func (t *transition) commandOut(i int) (CommandID, bool) {
	if i < 0 {
		return CommandID{}, false
	}
	return t.next.CommandOut(i)
}
