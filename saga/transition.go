package saga

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrForeignInstance means that an instance was given to another definition than its own: a defect.
var ErrForeignInstance = errors.New("the instance is not of this definition")

// transition is a decision in progress: a copy of the instance, and what was decided so far.
type transition struct {
	def     *Definition
	next    Instance
	now     time.Time
	overdue time.Duration
	actor   string

	changed     bool
	standing    bool // the change is bookkeeping, not progress
	postponed   bool // only a deadline of a command in the outbox moved
	woken       bool // the timer fired, so WakeAt may move later
	ignored     string
	outputFault string
	refused     *Refusal
	commands    []Command
	messages    []Message
	held        map[string]bool // Event.HeldBack
	withdrawn   []CommandID
	looks       []int // steps whose child is to be looked at
	entries     []Entry
	work        Work // of conditions and schemas

	conditionWork Work
}

// Start makes a new instance and decides its first moves. The caller validates the input, so an error means a defect.
func (d *Definition) Start(s Start) (Decision, error) {
	if err := d.runnable(); err != nil {
		return Decision{}, err
	}
	t := &transition{def: d, now: s.At, overdue: s.OverdueAfter, actor: s.Actor, changed: true, woken: true}
	data := s.Data
	if data == nil {
		data = []byte("{}")
	}
	t.next = Instance{
		ID: s.ID, Definition: d.Name, Version: d.Version, Key: s.Key, Priority: s.Priority, Labels: s.Labels,
		TraceParent: s.TraceParent, CreatedAt: s.At, StartAt: s.StartAt, Data: data,
		Progress: Progress{Phase: PhaseScheduled, Parent: s.Parent, ProgressAt: s.At, Steps: make([]StepState, len(d.Steps))},
	}
	for i := range d.Steps {
		t.next.Steps[i] = StepState{Name: d.Steps[i].Name, Status: StepPending, Round: 1}
	}
	begins := s.At
	if s.StartAt.After(s.At) {
		begins = s.StartAt
	}
	if limit := s.Deadline; limit > 0 {
		t.next.DeadlineAt = begins.Add(limit)
	} else if d.Deadline > 0 {
		t.next.DeadlineAt = begins.Add(time.Duration(d.Deadline))
	}
	if s.StartAt.After(s.At) {
		t.record(EntryScheduled, "", 0, map[string]any{"start_at": s.StartAt})
	}
	t.begin()
	if s.Unwound {
		t.turnBack(parentTurnedBack())
	}
	return t.finish(Instance{})
}

// Transition returns what follows from one event. It does not modify its arguments, and the same input always gives the
// same decision. A late, duplicate or irrelevant event yields a Decision with Ignored or Refused set. An error means a
// defect.
func (d *Definition) Transition(in Instance, event Event) (Decision, error) {
	if in.Definition != d.Name || in.Version != d.Version || len(in.Steps) != len(d.Steps) {
		return Decision{}, fmt.Errorf("transition of saga %s by %s version %d: %w", in.ID, d.Name, d.Version, ErrForeignInstance)
	}
	if err := d.runnable(); err != nil {
		return Decision{}, err
	}
	t := &transition{def: d, next: in, now: event.At, overdue: event.OverdueAfter, held: event.HeldBack}
	t.next.Steps = slices.Clone(in.Steps)
	switch cause := event.Cause.(type) {
	case Wake:
		t.wake(cause)
	case Published:
		t.published(cause)
	case Lost:
		t.lost(cause)
	case Reply:
		cause.Error = d.discreetReply(&in, cause.Error)
		t.reply(cause)
	case Signal:
		cause.Error = d.discreet(&in, cause.Error)
		t.signal(cause)
	case ChildEnded:
		t.childEnded(cause)
	case Unwind:
		t.unwind()
	case Action:
		t.act(cause)
	default:
		return Decision{}, fmt.Errorf("transition of saga %s: unknown event %T", in.ID, cause)
	}
	if !t.changed {
		t.withdrawUnawaited()
		return Decision{Next: t.unchanged(in), Ignored: t.ignored, Refused: t.refused, Looks: t.looks, Withdrawn: t.withdrawn, Work: t.work}, nil
	}
	return t.finish(in)
}

// unchanged returns the instance as it was, except for WakeAt after it fired and the deadlines of commands that still
// wait in the outbox.
func (t *transition) unchanged(in Instance) Instance {
	if t.postponed {
		in.Steps = t.next.Steps
	}
	if t.woken {
		in.WakeAt = t.def.due(&in, t.overdue)
	}
	return in
}

// finish moves the saga as far as it can go, derives its status, and checks the result.
func (t *transition) finish(in Instance) (Decision, error) {
	t.advance()
	t.settle(in)
	t.tellParent(in.Status)
	t.withdrawUnawaited()
	if err := t.def.Check(&t.next); err != nil {
		return Decision{}, fmt.Errorf("transition of saga %s at revision %d: %w", t.next.ID, in.Revision, err)
	}
	return Decision{
		Next: t.next, Changed: true, Commands: t.commands, Messages: t.messages, Entries: t.entries, OutputFault: t.outputFault,
		Looks: t.looks, Withdrawn: t.withdrawn, Work: t.work,
	}, nil
}

// advance dispatches everything that is ready. A passed deadline forbids that even before its timer fires: the result
// must not depend on which event comes first.
func (t *transition) advance() {
	if t.next.PausedByOperator {
		return
	}
	t.wakeDeadline()
	t.withdrawHeld()
	for phase := Phase(""); phase != t.next.Phase; { // a condition may turn the saga back, the end of a rewind forward
		phase = t.next.Phase
		switch phase {
		case PhaseForward:
			t.advanceForward()
		case PhaseBackward:
			t.advanceBackward()
		}
	}
}

// begin starts a saga at its start time.
func (t *transition) begin() {
	if t.next.Phase != PhaseScheduled || t.next.PausedByOperator || t.next.StartAt.After(t.now) {
		return
	}
	t.next.Phase = PhaseForward
	t.progress()
	t.record(EntryStarted, "", 0, nil)
}

// in returns the time d from now, with the precision of the stores.
func (t *transition) in(d time.Duration) time.Time { return t.now.Add(d).Truncate(time.Microsecond) }

// progress marks a change that others can see.
func (t *transition) progress() { t.changed, t.standing = true, false }

// bookkeeping marks a change that does not move the saga.
func (t *transition) bookkeeping() {
	if !t.changed {
		t.changed, t.standing = true, true
	}
}

func (t *transition) ignore(why string) { t.ignored = why }

func (t *transition) refuse(code, format string, arguments ...any) {
	t.refused = &Refusal{Code: code, Message: fmt.Sprintf(format, arguments...)}
}

func (t *transition) record(kind EntryType, step string, attempt int, detail map[string]any) {
	t.next.Entries++
	t.entries = append(t.entries, Entry{
		Seq: t.next.Entries, At: t.now, Type: kind, Step: step, Attempt: attempt, Actor: t.actor, Detail: detail,
	})
}

// end brings the saga to a terminal status.
func (t *transition) end(status Status, entry EntryType, detail map[string]any) {
	t.next.Phase = PhaseEnded
	t.next.Status = status
	t.next.FinishedAt = t.now
	t.next.PausedByOperator = false
	t.next.TurnBack, t.next.Rewind = nil, nil
	t.next.ReopenedFrom = ""
	for i := range t.next.Steps {
		t.next.Steps[i].Reopened = false
	}
	t.record(entry, "", 0, detail)
}
