package saga

import (
	"fmt"
	"time"
)

// Codes of failures that the orchestrator reports itself.
const (
	CodeTimeout          = "timeout"           // no reply in time; the outcome is unknown
	CodeDeadLettered     = "dead_lettered"     // the broker dead-lettered the command; the outcome is unknown
	CodeDeadlineExceeded = "deadline_exceeded" // the saga's deadline passed before its pivot
	CodeCancelled        = "cancelled"         // an operator asked for compensation
	CodeDataTooLarge     = "data_too_large"    // the output of the step does not fit the data of the saga
	CodeInvalidOutput    = "invalid_output"    // the output of the step cannot be merged into the data of the saga
)

// wake handles everything that is due: the start, the deadline, timeouts and next attempts.
func (t *transition) wake(w Wake) {
	t.woken = true
	if t.next.PausedByOperator || t.next.Phase == PhaseEnded {
		t.ignore(ignoredNotDue)
		return
	}
	t.begin()
	t.wakeDeadline() // first: after the deadline no attempt may be dispatched
	t.withdrawHeld()
	for i := range t.next.Steps {
		t.wakeOut(i, w) // before new attempts: an exhausted step turns the saga back
		t.wakeWait(i)
	}
	for i := range t.next.Steps {
		t.wakeWaiting(i)
	}
	t.wakeOverdue()
	if !t.changed {
		t.ignore(ignoredNotDue)
	}
}

func (t *transition) reached(at time.Time) bool { return !at.IsZero() && !at.After(t.now) }

// wakeOut handles the timeout of a command of step i that is out.
func (t *transition) wakeOut(i int, w Wake) {
	id, out := t.next.CommandOut(i)
	switch {
	case !out || !t.active(i) || !t.reached(t.next.Steps[i].DeadlineAt):
	case w.Unpublished[id.String()]:
		t.delayed(i)
	default:
		t.timedOut(i)
	}
}

// wakeWaiting sends the next attempt of step i if it is due.
func (t *transition) wakeWaiting(i int) {
	s := &t.next.Steps[i]
	if !t.active(i) || !t.reached(s.NextAttemptAt) || t.next.AttemptHeld(i) {
		return
	}
	t.progress()
	if s.Status == StepRetrying {
		t.dispatch(i)
	} else {
		t.dispatchCompensation(i)
	}
}

// maxDelayedLook is the longest pause between two checks of a command that waits in the outbox, unless its timeout is
// longer.
const maxDelayedLook = 5 * time.Minute

// delayed gives a command that still waits in the outbox its full timeout again: waiting there never fails a step. Only
// the first delay is recorded, or every saga would write a history line per timeout while the broker is down. Later
// checks only move the deadline; each waits as long as the saga has waited so far.
func (t *transition) delayed(i int) {
	s, timeout := &t.next.Steps[i], t.timeout(i)
	if !t.delayedBefore(i) {
		s.DeadlineAt = t.in(timeout)
		t.bookkeeping()
		t.record(EntryStepDelayed, s.Name, 0, nil)
		return
	}
	waited := t.now.Sub(t.next.ProgressAt)
	s.DeadlineAt = t.in(max(timeout, min(waited, maxDelayedLook)))
	t.postponed = true
}

// delayedBefore reports whether the deadline of the command of step i was moved since the last progress: an attempt
// dispatched no later than that has an earlier one.
func (t *transition) delayedBefore(i int) bool {
	return t.next.Steps[i].DeadlineAt.Add(-t.timeout(i)).After(t.next.ProgressAt)
}

// timeout returns the timeout of the command of step i that is out.
func (t *transition) timeout(i int) time.Duration {
	if t.next.Steps[i].Status == StepCompensating {
		return asDuration(t.def.Steps[i].CompensationTimeout)
	}
	return asDuration(t.def.Steps[i].Timeout)
}

func (t *transition) timedOut(i int) {
	failure := ReplyError{Code: CodeTimeout, Message: fmt.Sprintf("no reply within %s", t.timeout(i)), Retryable: true}
	t.outcomeUnknown(i, EntryStepTimedOut, failure)
}

// outcomeUnknown handles a command that may or may not have taken effect.
func (t *transition) outcomeUnknown(i int, entry EntryType, failure ReplyError) {
	if t.next.Steps[i].Status == StepCompensating {
		t.compensationAttemptFailed(i, entry, failure)
	} else {
		t.attemptFailed(i, entry, failure, true)
	}
}

// published starts the timeout of a command that had to wait in the outbox.
func (t *transition) published(p Published) {
	i := t.def.step(p.Command.Step)
	if i < 0 || !t.awaited(i, p.Command) {
		t.ignore(ignoredNotOut)
		return
	}
	t.next.Steps[i].DeadlineAt = t.in(t.timeout(i))
	t.bookkeeping()
	t.record(EntryStepPublished, t.next.Steps[i].Name, p.Command.Attempt, nil)
}

// lost counts a command that the broker dead-lettered as a failed attempt with an unknown outcome.
func (t *transition) lost(l Lost) {
	i := t.def.step(l.Command.Step)
	if i < 0 || !t.awaited(i, l.Command) {
		t.ignore(ignoredNotOut)
		return
	}
	message := "the broker dead-lettered the command: " + l.Reason
	t.outcomeUnknown(i, EntryStepLost, ReplyError{Code: CodeDeadLettered, Message: message, Retryable: true})
}

// wakeDeadline turns a saga back whose deadline passed before its pivot. After the pivot, the saga asks for attention
// instead.
func (t *transition) wakeDeadline() {
	if !t.deadlineReached() {
		return
	}
	t.next.DeadlinePassed = true
	t.progress()
	t.record(EntryDeadlineExceeded, "", 0, nil)
	if t.def.mayTurnBack(&t.next) {
		t.requestTurnBack(Failure{Code: CodeDeadlineExceeded, Message: "the saga's deadline passed before it was committed"})
	}
}

// deadlineReached reports whether the saga's deadline has passed and nothing has followed from it yet.
func (t *transition) deadlineReached() bool {
	return !t.next.DeadlinePassed && t.reached(t.next.DeadlineAt) && t.next.mayPassDeadline()
}

// mayPassDeadline reports whether the deadline matters: in the forward phase, and while a rewind leads back to it.
func (in *Instance) mayPassDeadline() bool { return in.Phase == PhaseForward || in.Rewind != nil }

// deadlineTurnsBack reports whether the next wake turns the saga back because of its deadline.
func (t *transition) deadlineTurnsBack() bool {
	return t.deadlineReached() && t.def.mayTurnBack(&t.next)
}

// requestTurnBack turns the saga back: now, or once the outcome of a pivot that is out is known.
func (t *transition) requestTurnBack(why Failure) {
	if t.def.graph.pivot < 0 || t.next.Phase == PhaseBackward {
		t.turnBack(why)
		return
	}
	pivot := t.def.graph.pivot
	waits := t.onlyWaits(pivot)
	if !waits && t.next.Steps[pivot].Status != StepRunning {
		t.turnBack(why)
		return
	}
	t.next.TurnBack, t.next.Rewind = &why, nil
	t.progress()
	if waits {
		t.failWaiting(pivot)
	}
}

// onlyWaits reports whether nothing of step i has to be awaited: it waits for its next attempt, or for what it is there to
// wait for.
func (t *transition) onlyWaits(i int) bool {
	s := &t.next.Steps[i]
	return s.Status == StepRetrying || s.interruptible()
}

// failWaiting ends a pivot that waits, so that the saga turns back.
func (t *transition) failWaiting(pivot int) {
	if t.next.Steps[pivot].interruptible() {
		t.fail(pivot, CodeCancelled, "the saga turned back while the step waited")
		return
	}
	t.failFinally(pivot)
}

// wakeOverdue marks a saga without progress for so long that an operator should look.
func (t *transition) wakeOverdue() {
	if t.next.Overdue || t.changed || t.next.waits() || t.next.Attention != nil || t.overdue <= 0 || !t.reached(t.next.ProgressAt.Add(t.overdue)) {
		return
	}
	if t.next.Status == Running || t.next.Status == Compensating {
		t.next.Overdue = true
		t.bookkeeping()
	}
}

// due returns the earliest time at which the saga must act, or zero.
func (d *Definition) due(in *Instance, overdue time.Duration) time.Time {
	var earliest time.Time
	consider := func(at time.Time) {
		if !at.IsZero() && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at
		}
	}
	switch {
	case in.PausedByOperator || in.Phase == PhaseEnded:
		return earliest
	case in.Phase == PhaseScheduled:
		return in.StartAt
	case in.mayPassDeadline() && !in.DeadlinePassed:
		consider(in.DeadlineAt)
	}
	for i := range in.Steps {
		s := &in.Steps[i]
		if in.ReopenedFrom != "" && !s.Reopened {
			continue
		}
		consider(s.DeadlineAt)
		if !in.AttemptHeld(i) {
			consider(s.NextAttemptAt)
		}
	}
	if overdue > 0 && !in.Overdue && !in.waits() && in.Attention == nil && in.Status != Stuck {
		consider(in.ProgressAt.Add(overdue))
	}
	return earliest
}
