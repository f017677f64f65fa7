package saga

import (
	"fmt"
	"time"
)

// Codes of failures that no worker reports.
const (
	CodeTimeout          = "timeout"           // no reply in time: the outcome is unknown
	CodeDeadLettered     = "dead_lettered"     // the broker gave up on the command: the outcome is unknown
	CodeDeadlineExceeded = "deadline_exceeded" // the saga's deadline passed before its pivot
	CodeCancelled        = "cancelled"         // a person asked for compensation
	CodeDataTooLarge     = "data_too_large"    // the step's output does not fit the saga's data
	CodeInvalidOutput    = "invalid_output"    // the step's output cannot be merged into the saga's data
)

// wake deals with everything that is due: the start, the deadline, attempts that timed out, attempts to be made again.
func (t *transition) wake(w Wake) {
	t.woken = true
	if t.next.PausedByOperator || t.next.Phase == PhaseEnded {
		t.ignore(ignoredNotDue)
		return
	}
	t.begin()
	t.wakeDeadline() // first, so that no attempt is dispatched that the deadline forbids
	for i := range t.next.Steps {
		t.wakeOut(i, w) // before any is sent again, since one that is used up turns the saga back
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

// wakeOut deals with a command of step i that is out and whose time is up.
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

// wakeWaiting sends the next attempt of step i where it is due.
func (t *transition) wakeWaiting(i int) {
	s := &t.next.Steps[i]
	if !t.active(i) || !t.reached(s.NextAttemptAt) {
		return
	}
	t.progress()
	if s.Status == StepRetrying {
		t.dispatch(i)
	} else {
		t.dispatchCompensation(i)
	}
}

// maxDelayedLook is the longest pause between two looks at a command that waits in the outbox, unless its timeout is longer.
const maxDelayedLook = 5 * time.Minute

// delayed gives a command that still waits in the outbox its whole time again: that wait alone never fails a step. Only
// the first delay is a change with a line of history. While the broker is away every saga with a command would else
// write one per timeout, so later looks only move the deadline, and double: each waits as long as the saga has waited.
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

// delayedBefore reports whether the deadline of the command of step i has been moved since the saga's last progress: an
// attempt that was dispatched no later than that would have an earlier one.
func (t *transition) delayedBefore(i int) bool {
	return t.next.Steps[i].DeadlineAt.Add(-t.timeout(i)).After(t.next.ProgressAt)
}

// timeout is that of the command of step i which is out.
func (t *transition) timeout(i int) time.Duration {
	if t.next.Steps[i].Status == StepCompensating {
		return asDuration(t.plan.Steps[i].CompensationTimeout)
	}
	return asDuration(t.plan.Steps[i].Timeout)
}

func (t *transition) timedOut(i int) {
	failure := ReplyError{Code: CodeTimeout, Message: fmt.Sprintf("no reply within %s", t.timeout(i)), Retryable: true}
	t.outcomeUnknown(i, EntryStepTimedOut, failure)
}

// outcomeUnknown deals with a command of which nobody can say whether it took effect.
func (t *transition) outcomeUnknown(i int, entry EntryType, failure ReplyError) {
	if t.next.Steps[i].Status == StepCompensating {
		t.compensationAttemptFailed(i, entry, failure)
	} else {
		t.attemptFailed(i, entry, failure, true)
	}
}

// published lets the time of a command that had to wait in the outbox run from now.
func (t *transition) published(p Published) {
	i := t.plan.step(p.Command.Step)
	if i < 0 || !t.awaited(i, p.Command) {
		t.ignore(ignoredNotOut)
		return
	}
	t.next.Steps[i].DeadlineAt = t.in(t.timeout(i))
	t.bookkeeping()
	t.record(EntryStepPublished, t.next.Steps[i].Name, p.Command.Attempt, nil)
}

// lost counts a command that the broker dead-lettered as a failed attempt with outcome unknown.
func (t *transition) lost(l Lost) {
	i := t.plan.step(l.Command.Step)
	if i < 0 || !t.awaited(i, l.Command) {
		t.ignore(ignoredNotOut)
		return
	}
	message := "the broker gave up on the command: " + l.Reason
	t.outcomeUnknown(i, EntryStepLost, ReplyError{Code: CodeDeadLettered, Message: message, Retryable: true})
}

// wakeDeadline turns a saga back whose deadline has passed before its pivot. After it, the saga asks for attention.
func (t *transition) wakeDeadline() {
	if t.next.DeadlinePassed || !t.reached(t.next.DeadlineAt) || t.next.Phase != PhaseForward {
		return
	}
	t.next.DeadlinePassed = true
	t.progress()
	t.record(EntryDeadlineExceeded, "", 0, nil)
	if t.plan.mayTurnBack(&t.next) {
		t.requestTurnBack(Failure{Code: CodeDeadlineExceeded, Message: "the saga's deadline passed before it was committed"})
	}
}

// requestTurnBack turns the saga back, now or once the outcome of a pivot that is out is known.
func (t *transition) requestTurnBack(why Failure) {
	if t.plan.graph.pivot < 0 {
		t.turnBack(why)
		return
	}
	switch pivot := &t.next.Steps[t.plan.graph.pivot]; pivot.Status {
	case StepRunning:
		t.next.TurnBack = &why
		t.progress()
	case StepRetrying:
		t.next.TurnBack = &why
		t.progress()
		t.failFinally(t.plan.graph.pivot)
	default:
		t.turnBack(why)
	}
}

// wakeOverdue notes that nothing has happened for so long that a person should look.
func (t *transition) wakeOverdue() {
	if t.next.Overdue || t.changed || t.next.Attention != nil || t.overdue <= 0 || !t.reached(t.next.ProgressAt.Add(t.overdue)) {
		return
	}
	if t.next.Status == Running || t.next.Status == Compensating {
		t.next.Overdue = true
		t.bookkeeping()
	}
}

// due is the earliest time at which something will have to be done, or zero.
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
	case in.Phase == PhaseForward && !in.DeadlinePassed:
		consider(in.DeadlineAt)
	}
	for i := range in.Steps {
		if s := &in.Steps[i]; in.ReopenedFrom == "" || s.Reopened {
			consider(s.DeadlineAt)
			consider(s.NextAttemptAt)
		}
	}
	if overdue > 0 && !in.Overdue && in.Attention == nil && in.Status != Stuck {
		consider(in.ProgressAt.Add(overdue))
	}
	return earliest
}
