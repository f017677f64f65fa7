package saga

// Reasons why an event changes nothing.
const (
	ignoredRepeated = "repeated: the step has been answered before"
	ignoredLate     = "late: the attempt no longer counts"
	ignoredNotOut   = "not out: the command has been answered or was given up"
	ignoredNotDue   = "not due: nothing is to be done yet"
)

// reply handles the answer of a worker.
func (t *transition) reply(r Reply) {
	i := t.def.step(r.Command.Step)
	waits := i >= 0 && !t.def.Steps[i].sends(r.Command.Direction)
	if i < 0 || waits || r.Command.Saga != t.next.ID || !t.wasSent(i, r.Command) {
		t.refuse(RefusedUnknownCommand, "no such command was sent")
		return
	}
	switch {
	case r.Command.Direction == Execute && r.Command.Round != t.next.Steps[i].execution():
		t.earlierExecution(i, r)
	case r.Command.Direction == Execute && r.Succeeded:
		t.executionSucceeded(i, r)
	case r.Command.Direction == Execute:
		t.executionFailed(i, r)
	case r.Command.Round != t.next.Steps[i].Round:
		t.ignore(ignoredLate)
	case r.Succeeded:
		t.compensationSucceeded(i, r)
	default:
		t.compensationFailed(i, r)
	}
}

// wasSent reports whether the command was ever sent. A reply to any other command cannot be for this saga.
func (t *transition) wasSent(i int, id CommandID) bool {
	s := &t.next.Steps[i]
	switch {
	case id.Direction == Execute && id.Round == s.execution():
		return id.Attempt <= s.Attempts
	case id.Direction == Execute:
		return id.Round < s.execution()
	case id.Round == s.Round:
		return id.Attempt <= s.CompensationAttempts
	default:
		return id.Round < s.Round
	}
}

// executionSucceeded handles the success of step i. The first success counts, whichever attempt it answers and however
// late it comes.
func (t *transition) executionSucceeded(i int, r Reply) {
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

// oversized handles a success whose output cannot be merged into the data. The step took effect, but the saga must not
// go on without the output: the step is compensated or waits for an operator. oversized returns false for a step that
// is compensated anyway.
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

// succeededAfterFailure handles a success after a final failure. An exhausted retriable step may still succeed, and a
// pivot that an operator marked as failed may have happened. For any other step the first answer stands.
func (t *transition) succeededAfterFailure(i int, merged []byte, r Reply) {
	s := &t.next.Steps[i]
	switch {
	case t.def.Steps[i].Kind == Retriable && t.next.Phase == PhaseForward:
		t.succeed(i, r.Command.Attempt, merged, r)
	case s.Uncertain:
		t.lateEffect(i, merged, r)
	default:
		t.ignore(ignoredLate)
	}
}

// succeededAfterCompensation compensates the step once more: the compensation that was sent may have found nothing to
// compensate.
func (t *transition) succeededAfterCompensation(i int, merged []byte, r Reply) {
	s := &t.next.Steps[i]
	switch {
	case s.CompensationAttempts == 0:
		t.ignore(ignoredLate) // an operator skipped it
	case t.next.Phase == PhaseEnded || t.next.ReopenedFrom != "":
		t.lateEffect(i, merged, r)
	default:
		t.succeed(i, r.Command.Attempt, merged, r)
		t.compensateOnceMore(i)
		t.yieldTo(i)
	}
}

// lateEffect records a success that came after the end of the saga. An operator decides what to do about it.
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

// executionFailed handles a failure of step i. Only the attempt that is out can fail.
func (t *transition) executionFailed(i int, r Reply) {
	if !t.awaited(i, r.Command) {
		t.ignore(ignoredLate)
		return
	}
	t.attemptFailed(i, EntryStepAttemptFailed, *r.Error, false)
}

// compensationSucceeded handles the success of a compensation, even if it is exhausted or waits for its turn.
func (t *transition) compensationSucceeded(i int, r Reply) {
	s := &t.next.Steps[i]
	if s.Status != StepCompensating && s.Status != StepCompensationFailed && !s.waitsForTurn() {
		t.ignore(ignoredRepeated)
		return
	}
	s.LateCompensation = !t.active(i)
	t.compensated(i, r.Command.Attempt)
}

func (t *transition) compensationFailed(i int, r Reply) {
	if !t.awaited(i, r.Command) {
		t.ignore(ignoredLate)
		return
	}
	t.compensationAttemptFailed(i, EntryCompensationRetry, *r.Error)
}

// awaited reports whether the command is out and the step still active.
func (t *transition) awaited(i int, id CommandID) bool {
	out, found := t.next.CommandOut(i)
	return found && out == id && t.active(i)
}

// active reports whether step i can still move. No step moves after the end of the saga; in a reopened saga only the
// reopened step does.
func (t *transition) active(i int) bool {
	if t.next.Phase == PhaseEnded {
		return false
	}
	return t.next.ReopenedFrom == "" || t.next.Steps[i].Reopened
}
