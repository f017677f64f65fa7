package saga

import (
	"encoding/json"
)

// childEnded handles the end of the child of a step.
func (t *transition) childEnded(e ChildEnded) {
	i := t.def.step(e.Step)
	if i < 0 || t.def.Steps[i].Saga == "" || e.Child == "" || t.next.Steps[i].Child() != e.Child {
		t.ignore(ignoredLate)
		return
	}
	known := t.next.Steps[i].ChildRevision
	if e.Revision > 0 && (e.Revision < known || e.Revision == known && e.Status != Compensated) {
		t.ignore(ignoredRepeated) // a compensated child stays so, and may be asked again
		return
	}
	t.childHeard(i, e)
	if t.changed && e.Refused == nil {
		t.next.Steps[i].ChildRevision = e.Revision
	}
}

// childHeard applies the report of the child of step i.
func (t *transition) childHeard(i int, e ChildEnded) {
	switch {
	case e.Refused != nil:
		t.childRefused(i, e)
	case e.Status == Completed:
		t.hideOutput(i, e.Data, e.Hidden)
		t.childCompleted(i, e.Data)
	case e.Status == Compensated:
		t.childCompensated(i, e.Failure)
	case e.Status == Abandoned:
		t.childAbandoned(i)
	default:
		t.ignore(ignoredNotDue)
	}
}

// childCompleted counts the completion of a child as the success of its step.
func (t *transition) childCompleted(i int, data json.RawMessage) {
	s := &t.next.Steps[i]
	switch s.Status {
	case StepRunning, StepUnknown, StepFailed:
		id := CommandID{Saga: t.next.ID, Step: s.Name, Direction: Execute, Round: s.execution(), Attempt: s.Attempts}
		t.executionSucceeded(i, Reply{Command: id, Succeeded: true, Output: data})
	default:
		t.ignore(ignoredRepeated)
	}
}

// childCompensated fails the step of a child that was compensated: nothing is left of it. If the parent has asked for
// that, the step is compensated.
func (t *transition) childCompensated(i int, why *Failure) {
	s := &t.next.Steps[i]
	switch {
	case s.Status == StepRunning && t.active(i):
		failure := StepError{Code: CodeChildCompensated, Message: "the child saga was compensated"}
		if why != nil {
			failure = StepError{Code: why.Code, Message: why.Message}
		}
		t.fail(i, failure.Code, failure.Message)
	case s.waitsForTurn() && t.draining():
		t.ignore(ignoredLate) // the child is asked again when it is the step's turn, and reports again
	case s.Status == StepCompensating || s.Status == StepCompensationFailed || s.waitsForTurn():
		t.compensationSucceeded(i, Reply{Command: CommandID{Attempt: s.CompensationAttempts}})
	default:
		t.ignore(ignoredRepeated)
	}
}

// childAbandoned leaves the outcome of a step unknown, or its compensation to an operator.
func (t *transition) childAbandoned(i int) {
	failure := ReplyError{Code: CodeChildAbandoned, Message: "the child saga was abandoned"}
	switch s := &t.next.Steps[i]; {
	case !t.active(i):
		t.ignore(ignoredLate)
	case s.Status == StepRunning:
		s.Uncertain = true
		t.fail(i, failure.Code, failure.Message)
	case s.Status == StepCompensating:
		t.compensationAttemptFailed(i, EntryCompensationRetry, failure)
	default:
		t.ignore(ignoredLate)
	}
}

// childRefused handles a child that could not be started, or not be compensated.
func (t *transition) childRefused(i int, e ChildEnded) {
	s, why := &t.next.Steps[i], *e.Refused
	sent := CommandID{Saga: t.next.ID, Step: s.Name, Direction: Compensate, Round: s.Round, Attempt: s.CompensationAttempts}
	switch {
	case !t.active(i):
		t.ignore(ignoredLate)
	case s.Status == StepRunning && !e.Exists: // one that exists will end
		t.fail(i, why.Code, why.Message)
	case s.Status == StepCompensating && e.Answers == sent && !e.Exists && s.ChildRevision == 0 && !s.TookEffect && !s.Oversized:
		// It was never heard of, and cannot start even to be compensated: nothing of it is there.
		t.compensationSucceeded(i, Reply{Command: sent})
	case s.Status == StepCompensating && e.Answers == sent:
		why.Retryable = false
		t.compensationAttemptFailed(i, EntryCompensationRetry, why)
	default:
		t.ignore(ignoredLate)
	}
}
