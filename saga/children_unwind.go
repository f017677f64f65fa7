package saga

// unwindChildren asks the children that are running to compensate, once each.
func (t *transition) unwindChildren() {
	for i := range t.next.Steps {
		s := &t.next.Steps[i]
		if s.Status == StepRunning && s.Waiting == WaitForChild && s.CompensationAttempts == 0 && t.active(i) && !t.def.spares(&t.next, i) {
			t.unwindChild(i)
		}
	}
}

// unwindChild asks the child of step i to compensate.
func (t *transition) unwindChild(i int) {
	s := &t.next.Steps[i]
	s.CompensationAttempts++
	s.DeadlineAt = t.in(waitLook)
	id := CommandID{Saga: t.next.ID, Step: s.Name, Direction: Compensate, Round: s.Round, Attempt: s.CompensationAttempts}
	start := t.childStart(i)
	t.messages = append(t.messages, Message{ID: id, Unwind: &start})
	t.record(EntryCompensationSent, s.Name, s.CompensationAttempts, map[string]any{"child": s.Child()})
}

// unwind compensates a child, whatever its status.
func (t *transition) unwind() {
	why := parentTurnedBack()
	n := &t.next
	switch {
	case n.Phase == PhaseEnded && n.Status == Compensated, n.Phase == PhaseBackward && n.Rewind == nil && n.ReopenedFrom == "":
		t.ignore(ignoredRepeated)
	case t.def.pastPivot(n) || t.def.pivotUnknown(n) || t.pivotLeftOut():
		t.refuse(RefusedNotApplicable, "the child saga is past its pivot, so it cannot be compensated")
	case n.TurnBack != nil && n.Rewind == nil:
		t.ignore(ignoredRepeated)
	case n.Phase == PhaseEnded || n.ReopenedFrom != "":
		t.openAgain(why)
	default:
		if n.PausedByOperator {
			n.PausedByOperator, t.woken = false, true
		}
		t.record(EntryCancelRequested, "", 0, map[string]any{"reason": why.Message})
		t.requestTurnBack(why)
	}
}

// pivotLeftOut reports whether the pivot of a saga that has ended took effect late, or is still out and may yet.
func (t *transition) pivotLeftOut() bool {
	if pivot := t.def.graph.pivot; pivot >= 0 && (t.next.Phase == PhaseEnded || t.next.ReopenedFrom != "") {
		s := &t.next.Steps[pivot]
		return s.TookEffect || s.Status == StepRunning || s.Status == StepRetrying || s.Status == StepUnknown
	}
	return false
}

func parentTurnedBack() Failure {
	return Failure{Code: CodeCancelled, Message: "the parent saga turned back"}
}

// openAgain turns back a saga that has ended.
func (t *transition) openAgain(why Failure) {
	t.next.ReopenedFrom = ""
	t.woken = true
	for i := range t.next.Steps {
		s := &t.next.Steps[i]
		s.LateCompensation, s.EarlierEffect = false, 0
		s.Reopened = s.CompensationAttempts > 0 // it was compensated by itself
		if s.LateEffect {
			s.LateEffect = false
			t.compensateOnceMore(i)
		}
	}
	t.record(EntryReopened, "", 0, nil)
	t.turnBack(why)
	for i := range t.next.Steps {
		if s := &t.next.Steps[i]; s.Status == StepRunning && s.Waiting == WaitForChild && s.CompensationAttempts > 0 {
			t.unwindChild(i) // it may have answered while the saga had ended, when its answer was ignored
		}
	}
}
