package saga

import (
	"slices"
)

// MaxRewinds is how often a rewind may reset a step.
const MaxRewinds = 100

// CodeRewind is the code of a rewind that waits for the outcome of the pivot.
const CodeRewind = "rewind"

// actRewind takes the saga back to a step: that step and every step after it are compensated, and then run again.
func (t *transition) actRewind(a Action) {
	to := t.def.step(a.To)
	switch {
	case to < 0:
		t.refuse(RefusedUnknownStep, "to: name the step to rewind to")
		return
	case t.next.Steps[to].Status == StepPending:
		t.refuse(RefusedNotApplicable, "to: step %s has not run, so the saga cannot rewind to it", a.To)
		return
	}
	t.next.Rewind = &Rewind{To: a.To, Patch: a.Patch}
	if !t.fits(t.next.Data) {
		t.refuse(RefusedDataTooLarge, "patch: the saga's data must stay an object of at most %d bytes", MaxDataBytes)
		return
	}
	for i := range t.next.Steps {
		if t.def.rewinds(&t.next, i) && t.next.Steps[i].Rewinds >= MaxRewinds {
			t.refuse(RefusedNotApplicable, "step %s was reset %d times, which is the limit", t.next.Steps[i].Name, MaxRewinds)
			return
		}
	}
	if t.next.PausedByOperator {
		t.next.PausedByOperator, t.woken = false, true
	}
	t.requestRewind(a)
}

// requestRewind turns the saga back now, or once the outcome of a pivot that is out is known.
func (t *transition) requestRewind(a Action) {
	if t.def.graph.pivot >= 0 {
		pivot, waiting := &t.next.Steps[t.def.graph.pivot], t.onlyWaits(t.def.graph.pivot)
		if pivot.Status == StepRunning || waiting {
			t.next.TurnBack = &Failure{Code: CodeRewind, Message: a.Reason}
			t.record(EntryRewindRequested, a.To, 0, reasonOf(a))
		}
		if waiting {
			t.failWaiting(t.def.graph.pivot)
			return
		}
		if pivot.Status == StepRunning {
			return
		}
	}
	t.goBack(a)
}

// goBack starts the backward phase of a rewind. Steps to reset that wait for their next attempt end; commands that are
// out are awaited.
func (t *transition) goBack(a Action) {
	t.next.Phase = PhaseBackward
	t.next.TurnBack = nil
	t.progress()
	t.record(EntryRewinding, t.next.Rewind.To, 0, reasonOf(a))
	for i := range t.next.Steps {
		if t.def.rewinds(&t.next, i) {
			t.giveUpWaiting(i)
		}
	}
}

// rewinds reports whether the rewind in progress resets step i.
func (d *Definition) rewinds(in *Instance, i int) bool {
	to := d.step(in.Rewind.To)
	return i == to || slices.Contains(d.graph.descendants[to], i)
}

// AttemptHeld reports whether the next attempt of step i has to wait for the end of a rewind, whatever its time.
func (in *Instance) AttemptHeld(i int) bool {
	return in.Phase == PhaseBackward && in.Steps[i].Status == StepRetrying
}

// rewound resets the steps and goes forward again, on the data as patched.
func (t *transition) rewound() {
	rewind := t.next.Rewind
	for i := range t.next.Steps {
		if t.def.rewinds(&t.next, i) {
			t.next.Steps[i] = t.next.Steps[i].reset()
		}
	}
	if rewind.Patch != nil {
		t.next.Data = merge(t.next.Data, rewind.Patch, true)
	}
	t.next.Phase, t.next.Rewind, t.woken = PhaseForward, nil, true
	t.progress()
	t.record(EntryRewound, rewind.To, 0, nil)
}

// reset returns the step as if it had never run, except that the numbers of its commands continue: a worker takes the
// next execution and the next compensation for new effects.
func (s *StepState) reset() StepState {
	fresh := StepState{
		Name: s.Name, Status: StepPending, Round: s.Round, Rewinds: s.Rewinds, Unsettled: s.Unsettled, EarlierEffect: s.EarlierEffect,
		Children: s.Children, EarlierSignals: s.earlierSignals(),
	}
	if s.Signal != nil && !s.Signal.Taken { // it is still kept for the step
		fresh.Signal, fresh.EarlierSignals = s.Signal, s.EarlierSignals
	}
	if s.Attempts > 0 {
		fresh.Rewinds++
		if s.Uncertain && !s.TookEffect && !s.Oversized {
			fresh.Unsettled = append(slices.Clone(s.Unsettled), s.execution())
		}
	}
	if s.CompensationAttempts > 0 {
		fresh.Round++
	}
	return fresh
}

// earlierExecution handles a reply to an execution from before a rewind. Only a first success matters: the compensation
// may not have seen its effect, so an operator has to look.
func (t *transition) earlierExecution(i int, r Reply) {
	s := &t.next.Steps[i]
	at := slices.Index(s.Unsettled, r.Command.Round)
	if !r.Succeeded || at < 0 {
		t.ignore(ignoredLate)
		return
	}
	if s.Unsettled = slices.Delete(slices.Clone(s.Unsettled), at, at+1); len(s.Unsettled) == 0 {
		s.Unsettled = nil
	}
	s.EarlierEffect = r.Command.Round
	t.progress()
	t.record(EntryStepLateEffect, s.Name, r.Command.Attempt, map[string]any{"execution": r.Command.Round})
}
