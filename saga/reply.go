package saga

// Why a reply or another event changes nothing.
const (
	ignoredRepeated = "repeated: the step has been answered before"
	ignoredLate     = "late: the attempt no longer counts"
	ignoredNotOut   = "not out: the command has been answered or was given up"
	ignoredNotDue   = "not due: nothing is to be done yet"
)

// reply takes in a worker's answer.
func (t *transition) reply(r Reply) {
	i := t.plan.step(r.Command.Step)
	if i < 0 || r.Command.Saga != t.next.ID || !t.wasSent(i, r.Command) {
		t.refuse(RefusedUnknownCommand, "no such command was sent")
		return
	}
	switch {
	case r.Command.Direction == Execute && r.Succeeded:
		t.executed(i, r)
	case r.Command.Direction == Execute:
		t.notExecuted(i, r)
	case r.Command.Round != t.next.Steps[i].Round:
		t.ignore(ignoredLate)
	case r.Succeeded:
		t.undone(i, r)
	default:
		t.notUndone(i, r)
	}
}

// wasSent says whether that command has ever left: an answer to any other cannot be meant for this saga.
func (t *transition) wasSent(i int, id CommandID) bool {
	s := &t.next.Steps[i]
	switch {
	case id.Direction == Execute:
		return id.Attempt <= s.Attempts
	case id.Round == s.Round:
		return id.Attempt <= s.CompensationAttempts
	default:
		return id.Round < s.Round
	}
}

// executed takes in the success of step i. The first one counts, whichever attempt it answers and however late.
func (t *transition) executed(i int, r Reply) {
	s := &t.next.Steps[i]
	merged, fault := t.takeOutput(i, r)
	if s.TookEffect || s.Oversized && (fault != nil || t.next.Phase != PhaseForward) {
		t.ignore(ignoredRepeated)
		return
	}
	if fault != nil {
		t.outputFault = fault.Code
		if t.active(i) && t.oversized(i, r, *fault) {
			return
		}
		merged, r.Output = t.next.Data, nil
	}
	switch s.Status {
	case StepRunning, StepRetrying, StepUnknown:
		if t.next.Phase == PhaseEnded || t.next.ReopenedFrom != "" {
			t.lateEffect(i, merged, r)
		} else {
			t.succeed(i, r.Command.Attempt, merged, r)
		}
	case StepFailed:
		t.succeededAfterFailure(i, merged, r)
	case StepCompensating, StepCompensated, StepCompensationFailed, StepSkipped:
		t.succeededAfterCompensation(i, merged, r)
	default:
		t.ignore(ignoredLate)
	}
}

// oversized deals with a success whose output cannot be merged into the saga's data: it is too large, or breaks a limit
// of its own. The step took effect, but to go on without its output would be wrong: it is compensated, or waits for an
// operator. It is false for a step that is compensated anyway.
func (t *transition) oversized(i int, r Reply, failure ReplyError) bool {
	s := &t.next.Steps[i]
	switch {
	case s.Status == StepRunning || s.Status == StepRetrying:
		s.Oversized = true
		t.outcomeUnknown(i, EntryStepAttemptFailed, failure)
	case t.next.Phase == PhaseForward && (s.Status == StepUnknown || s.Status == StepFailed):
		s.Oversized, s.Uncertain, s.Status = true, true, StepUnknown
		s.Error = &StepError{Code: failure.Code, Message: failure.Message}
		t.progress()
		t.record(EntryStepAttemptFailed, s.Name, r.Command.Attempt, map[string]any{"code": failure.Code, "message": failure.Message})
	default:
		return false
	}
	return true
}

// succeededAfterFailure: a used-up retriable step may still succeed; a pivot that a person took for failed may turn out
// to have happened; any other step's worker has said that nothing took effect, and the first answer stands.
func (t *transition) succeededAfterFailure(i int, merged []byte, r Reply) {
	s := &t.next.Steps[i]
	switch {
	case t.plan.Steps[i].Kind == Retriable && t.next.Phase == PhaseForward:
		t.succeed(i, r.Command.Attempt, merged, r)
	case s.Uncertain:
		t.lateEffect(i, merged, r)
	default:
		t.ignore(ignoredLate)
	}
}

// succeededAfterCompensation: the compensation that was sent may have found nothing to undo, so it is done once more.
func (t *transition) succeededAfterCompensation(i int, merged []byte, r Reply) {
	s := &t.next.Steps[i]
	switch {
	case s.CompensationAttempts == 0:
		t.ignore(ignoredLate) // a person has counted it as done already
	case t.next.Phase == PhaseEnded || t.next.ReopenedFrom != "":
		t.lateEffect(i, merged, r)
	default:
		t.succeed(i, r.Command.Attempt, merged, r)
		t.compensateOnceMore(i)
		t.yieldTo(i)
	}
}

// lateEffect notes a success that came after the saga's end: a person decides what becomes of it.
func (t *transition) lateEffect(i int, merged []byte, r Reply) {
	s := &t.next.Steps[i]
	if s.Status == StepRunning || s.Status == StepRetrying || s.Status == StepUnknown {
		s.Status = StepSucceeded
		s.close(t.now)
	}
	s.TookEffect, s.LateEffect = true, true
	s.Output = r.Output
	t.next.Data = merged
	t.progress()
	t.record(EntryStepLateEffect, s.Name, r.Command.Attempt, nil)
}

// notExecuted takes in a failure of step i; only the attempt that is out now can fail.
func (t *transition) notExecuted(i int, r Reply) {
	if !t.awaited(i, r.Command) {
		t.ignore(ignoredLate)
		return
	}
	t.attemptFailed(i, EntryStepAttemptFailed, *r.Error, false)
}

// undone takes in the success of a compensation; it counts for a used-up one too, and for one that waits for its turn.
func (t *transition) undone(i int, r Reply) {
	s := &t.next.Steps[i]
	if s.Status != StepCompensating && s.Status != StepCompensationFailed && !s.waitsForItsTurn() {
		t.ignore(ignoredRepeated)
		return
	}
	s.LateCompensation = !t.active(i)
	t.compensated(i, r.Command.Attempt)
}

func (t *transition) notUndone(i int, r Reply) {
	if !t.awaited(i, r.Command) {
		t.ignore(ignoredLate)
		return
	}
	t.compensationAttemptFailed(i, EntryCompensationRetry, *r.Error)
}

// awaited says whether that command is out now, in a saga that still goes on.
func (t *transition) awaited(i int, id CommandID) bool {
	out, found := t.next.CommandOut(i)
	return found && out == id && t.active(i)
}

// active says whether step i still moves: not after the saga's end, and not beside the steps of a reopened saga.
func (t *transition) active(i int) bool {
	if t.next.Phase == PhaseEnded {
		return false
	}
	return t.next.ReopenedFrom == "" || t.next.Steps[i].Reopened
}
