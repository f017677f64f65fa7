package saga

import (
	"slices"
	"time"
)

// advanceForward dispatches every step whose predecessors are done, and completes the saga when all steps are done.
func (t *transition) advanceForward() {
	if t.next.TurnBack != nil {
		return // the pivot is out, and its outcome decides
	}
	for more := true; more; { // a step that is done at once may make others ready
		more = false
		for i := range t.next.Steps {
			if t.next.Phase != PhaseForward {
				return
			}
			if t.next.Steps[i].Status == StepPending && t.def.Steps[i].mayEndAtOnce() && t.ready(i) {
				t.dispatch(i)
				more = more || t.next.Steps[i].done()
			}
		}
	}
	if t.next.Phase != PhaseForward {
		return
	}
	for i := range t.next.Steps { // last: a step that fails at once turns the saga back before a command is sent
		if t.next.Steps[i].Status == StepPending && t.ready(i) {
			t.dispatch(i)
		}
	}
	for i := range t.next.Steps {
		if !t.next.Steps[i].done() {
			return
		}
	}
	t.end(Completed, EntryCompleted, nil)
}

// mayEndAtOnce reports whether the step may end in the moment in which its turn comes.
func (s *Step) mayEndAtOnce() bool { return s.When != "" || s.Input != nil || s.Wait() != NoWait }

// done reports whether the steps after this one may begin.
func (s *StepState) done() bool { return s.Status == StepSucceeded || s.Status == StepSkipped }

// ready reports whether every step before step i is done.
func (t *transition) ready(i int) bool {
	for _, before := range t.def.graph.before[i] {
		if !t.next.Steps[before].done() {
			return false
		}
	}
	return true
}

// dispatch sends the next attempt of step i, or lets it wait. A condition may settle the step instead.
func (t *transition) dispatch(i int) {
	s := &t.next.Steps[i]
	if !t.decideCondition(i) {
		return
	}
	s.Status = StepRunning
	s.Attempts++
	s.Oversized = false
	s.NextAttemptAt = time.Time{}
	s.FinishedAt = time.Time{}
	if s.StartedAt.IsZero() {
		s.StartedAt = t.now
	}
	input := t.commandData(i)
	if failure := t.largeInput(i, input); failure != nil {
		t.fail(i, failure.Code, failure.Message)
		return
	}
	if wait := t.def.Steps[i].Wait(); wait != NoWait {
		t.startWait(i, wait)
		return
	}
	command, queue, timeout, _ := t.def.CommandFor(s.Name, Execute)
	s.DeadlineAt = t.in(timeout)
	id, _ := t.next.CommandOut(i)
	t.commands = append(t.commands, Command{
		ID: id, Name: command, Queue: queue, Timeout: timeout, Priority: t.next.Priority, Data: input,
	})
	var detail map[string]any
	if s.Rewinds > 0 {
		detail = map[string]any{"execution": s.execution()}
	}
	t.record(EntryStepDispatched, s.Name, s.Attempts, detail)
}

// succeed marks step i as done by its worker, who answered that attempt.
func (t *transition) succeed(i, attempt int, merged []byte, reply Reply) {
	s := &t.next.Steps[i]
	s.Status = StepSucceeded
	s.TookEffect, s.Oversized = true, false
	s.Output = reply.Output
	s.Error = nil
	s.close(t.now)
	t.next.Data = merged
	t.progress()
	t.record(EntryStepSucceeded, s.Name, attempt, nil)
	if i == t.def.graph.pivot && t.next.TurnBack != nil {
		t.dropTurnBack(EntryCancelTooLate, s.Name)
	}
}

// attemptFailed handles a failed attempt of step i; uncertain means that it may have taken effect anyway.
func (t *transition) attemptFailed(i int, entry EntryType, failure ReplyError, uncertain bool) {
	step, s := &t.def.Steps[i], &t.next.Steps[i]
	failed, _ := t.next.CommandOut(i)
	s.Error = &StepError{Code: failure.Code, Message: failure.Message}
	s.Uncertain = s.Uncertain || uncertain
	s.DeadlineAt = time.Time{}
	t.progress()
	t.record(entry, s.Name, s.Attempts, map[string]any{"code": failure.Code, "message": failure.Message})
	used := s.Attempts - s.AttemptsForgiven
	if t.getsNoRetry(i) || step.Retry.exhausted(used, failure) {
		t.failFinally(i)
		return
	}
	s.Status = StepRetrying
	s.NextAttemptAt = t.in(step.Retry.delay(used, failed))
}

// getsNoRetry reports whether the saga turns back, so that step i gets no further attempt. A rewind leaves the steps
// that it does not reset their attempts, for afterwards.
func (t *transition) getsNoRetry(i int) bool {
	if t.next.Rewind != nil {
		return t.def.rewinds(&t.next, i)
	}
	return t.next.Phase == PhaseBackward || t.next.TurnBack != nil
}

// failFinally ends step i without success, and turns the saga back if the step requires it.
func (t *transition) failFinally(i int) {
	s := &t.next.Steps[i]
	t.giveUp(i)
	spared := t.next.Rewind != nil && !t.def.rewinds(&t.next, i)
	if t.next.Phase != PhaseForward && !spared {
		return
	}
	switch {
	case t.def.Steps[i].Kind == Retriable:
	case i == t.def.graph.pivot && s.Status == StepUnknown:
	case t.next.TurnBack != nil && t.next.Rewind != nil:
		t.goBack(Action{Reason: t.next.TurnBack.Message})
	case t.next.TurnBack != nil:
		t.turnBack(*t.next.TurnBack)
	case t.def.OnFailure == Park: // an operator decides
	default:
		t.turnBack(Failure{Step: s.Name, Code: s.Error.Code, Message: s.Error.Message})
	}
}

// giveUp marks step i as failed, or as unknown if any of its attempts may have taken effect.
func (t *transition) giveUp(i int) {
	s := &t.next.Steps[i]
	s.close(t.now)
	s.Status = StepFailed
	entry := EntryStepFailed
	if s.Uncertain {
		s.Status, entry = StepUnknown, EntryStepUnknown
	}
	detail := map[string]any{}
	if s.Error != nil {
		detail["code"], detail["message"] = s.Error.Code, s.Error.Message
	}
	t.record(entry, s.Name, s.Attempts, detail)
}

// turnBack starts the backward phase. Steps that wait for their next attempt end; commands that are out, and children, are
// awaited. If a step was compensated before, by a rewind or after the end, they are not: their outcome is unknown.
func (t *transition) turnBack(why Failure) {
	t.next.Phase = PhaseBackward
	t.next.TurnBack, t.next.Rewind = nil, nil
	t.next.Failure = &why
	t.progress()
	t.record(EntryCompensating, why.Step, 0, map[string]any{"code": why.Code, "message": why.Message})
	begun := false
	for i := range t.next.Steps {
		begun = begun || slices.Contains(compensationStatuses(), t.next.Steps[i].Status)
	}
	for i := range t.next.Steps {
		t.giveUpWaiting(i)
		if s := &t.next.Steps[i]; begun && s.Status == StepRunning {
			s.Uncertain = true
			t.giveUp(i)
		}
	}
}

// giveUpWaiting ends step i if it only waits: for its next attempt, for what it is there to wait for, or for its queue. A child
// is asked to compensate.
func (t *transition) giveUpWaiting(i int) {
	switch s := &t.next.Steps[i]; {
	case s.Status == StepRetrying:
		t.giveUp(i)
	case s.interruptible():
		t.giveUpWait(i)
	case t.heldBack(i):
		t.withdraw(i)
		t.giveUp(i)
	}
}
