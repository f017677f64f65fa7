package saga

import (
	"slices"
	"time"
)

func asDuration(d Duration) time.Duration { return time.Duration(d) }

// advanceBackward dispatches every compensation whose turn has come, and ends the saga when none is left.
func (t *transition) advanceBackward() {
	t.unwindChildren()
	if t.draining() {
		return
	}
	left := 0
	for i := range t.next.Steps {
		if !t.def.owes(&t.next, i) {
			continue
		}
		left++
		switch t.next.Steps[i].Status {
		case StepSucceeded, StepUnknown, StepSkipped:
			if t.mayCompensate(i) {
				t.dispatchCompensation(i)
			}
		}
	}
	switch {
	case left > 0:
	case t.next.Rewind != nil:
		t.rewound()
	case t.next.ReopenedFrom == Abandoned:
		t.end(Abandoned, EntryAbandoned, map[string]any{"reason": "the late effect is compensated"})
	default:
		t.end(Compensated, EntryCompensated, nil)
	}
}

// draining reports whether forward commands are still out. A reopened saga has ended before, so it waits for none.
func (t *transition) draining() bool {
	if t.next.ReopenedFrom != "" {
		return false
	}
	for i := range t.next.Steps {
		if t.next.Steps[i].Status == StepRunning && !t.def.spares(&t.next, i) {
			return true
		}
	}
	return false
}

// owes reports whether step i must be compensated before the saga can end.
func (d *Definition) owes(in *Instance, i int) bool {
	s := &in.Steps[i]
	if !d.compensable(in, i) || in.ReopenedFrom != "" && !s.Reopened || in.Rewind != nil && !d.rewinds(in, i) {
		return false
	}
	switch s.Status {
	case StepSucceeded, StepUnknown, StepCompensating, StepCompensationFailed:
		return true
	case StepSkipped: // as done; a compensation that was skipped is done too
		return s.TookEffect && s.CompensationAttempts == 0
	default:
		return false
	}
}

// mayCompensate reports whether every step after step i that needs compensation has been compensated.
func (t *transition) mayCompensate(i int) bool {
	for _, later := range t.def.graph.descendants[i] {
		if t.def.owes(&t.next, later) {
			return false
		}
	}
	return true
}

// dispatchCompensation sends the next attempt to compensate step i.
func (t *transition) dispatchCompensation(i int) {
	s := &t.next.Steps[i]
	s.Status = StepCompensating
	s.NextAttemptAt = time.Time{}
	s.FinishedAt = time.Time{}
	if t.def.Steps[i].Saga != "" {
		s.Waiting = WaitForChild
		t.unwindChild(i)
		return
	}
	s.CompensationAttempts++
	input := t.commandData(i)
	if failure := t.largeInput(i, input); failure != nil { // the data has grown: an operator patches it, and retries
		t.compensationAttemptFailed(i, EntryStepAttemptFailed, *failure)
		return
	}
	name, queue, timeout, _ := t.def.CommandFor(s.Name, Compensate)
	s.DeadlineAt = t.in(timeout)
	id, _ := t.next.CommandOut(i)
	command := Command{
		ID: id, Name: name, Queue: queue, Timeout: timeout, Priority: t.next.Priority, Data: input,
		Waited: t.def.Steps[i].Wait() != NoWait,
	}
	if s.TookEffect {
		command.Output = s.Output
	}
	if s.Rewinds > 0 {
		executed := CommandID{Saga: t.next.ID, Step: s.Name, Direction: Execute, Round: s.execution()}
		if s.Compensating > 0 {
			executed.Round = s.Compensating
		}
		command.Compensates = executed.IdempotencyKey()
	}
	t.commands = append(t.commands, command)
	t.record(EntryCompensationSent, s.Name, s.CompensationAttempts, nil)
}

// yield makes the compensation of step i wait for its turn again, because a later step must be compensated first.
func (t *transition) yield(i int) {
	s := &t.next.Steps[i]
	s.Status = StepUnknown
	if s.TookEffect {
		s.Status = StepSucceeded
	}
	s.close(t.now)
}

// compensated marks step i as compensated by its worker.
func (t *transition) compensated(i, attempt int) {
	s := &t.next.Steps[i]
	s.Status = StepCompensated
	s.close(t.now)
	t.progress()
	t.record(EntryStepCompensated, s.Name, attempt, nil)
}

// compensationAttemptFailed retries the compensation of step i by its policy, or leaves it to an operator.
func (t *transition) compensationAttemptFailed(i int, entry EntryType, failure ReplyError) {
	policy, s := &t.def.Steps[i].CompensationRetry, &t.next.Steps[i]
	failed, _ := t.next.CommandOut(i)
	s.Error = &StepError{Code: failure.Code, Message: failure.Message}
	s.DeadlineAt, s.Waiting = time.Time{}, NoWait
	t.progress()
	detail := map[string]any{"code": failure.Code, "message": failure.Message, "action": string(Compensate)}
	t.record(entry, s.Name, s.CompensationAttempts, detail)
	used := s.CompensationAttempts - s.CompensationForgiven
	switch {
	case policy.exhausted(used, failure):
		s.Status = StepCompensationFailed
		s.close(t.now)
		t.record(EntryCompensationExhausted, s.Name, s.CompensationAttempts, detail)
	case !t.mayCompensate(i): // its turn has passed while it was out
		t.yield(i)
	default:
		s.NextAttemptAt = t.in(policy.delay(used, failed))
	}
}

// compensateOnceMore requires another compensation of step i under a new key, because the effect came after the
// compensation that was sent.
func (t *transition) compensateOnceMore(i int) {
	s := &t.next.Steps[i]
	s.Status = StepSucceeded
	if s.CompensationAttempts > 0 {
		s.Round++
		s.CompensationAttempts, s.CompensationForgiven = 0, 0
	}
	s.close(t.now)
}

// waitsForTurn reports whether a compensation of the step was sent before and waits for its turn again. A step with
// later steps has succeeded, so its own success cannot come late.
func (s *StepState) waitsForTurn() bool {
	return s.Status == StepSucceeded && s.CompensationAttempts > 0
}

// yieldTo postpones the compensations of earlier steps that wait for their next attempt: step i is compensated first.
func (t *transition) yieldTo(i int) {
	for earlier := range t.next.Steps {
		s := &t.next.Steps[earlier]
		waits := s.Status == StepCompensating && !s.NextAttemptAt.IsZero()
		if waits && slices.Contains(t.def.graph.descendants[earlier], i) {
			t.yield(earlier)
		}
	}
}

// close clears the timers of the step and sets its end.
func (s *StepState) close(now time.Time) {
	s.FinishedAt = now
	s.NextAttemptAt = time.Time{}
	s.DeadlineAt = time.Time{}
	s.Waiting = NoWait
}
