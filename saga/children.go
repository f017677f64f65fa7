package saga

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/oklog/ulid/v2"
)

// MaxLevels is how deep sagas may be nested: a saga without a parent is at level 1.
const MaxLevels = 8

// ParentStep stands for the parent in the ids of what a saga tells it. A step cannot have this name.
const ParentStep = "$parent"

// Codes of failures of steps that start a child saga.
const (
	CodeChildCompensated = "child_compensated" // the child was compensated, and has no error of its own
	CodeChildAbandoned   = "child_abandoned"   // an operator abandoned the child; the outcome is unknown
	CodeChildHasPivot    = "child_has_pivot"   // a child that cannot be compensated, of a step that may have to be
	CodeTooDeep          = "too_deep"          // the child would be below MaxLevels
)

// Parent names the step that started a saga as its child.
type Parent struct {
	Saga  string `json:"saga"`
	Step  string `json:"step"`
	Level int    `json:"level"` // of the child
	// Hidden points to what is sensitive in the data that the parent has started the child with.
	Hidden []Pointer `json:"hidden,omitempty"`
}

// Message is what one saga asks or tells another. It leaves after the commit, like a command, until it was delivered.
type Message struct {
	ID     CommandID   `json:"-"`                // unique; its saga is the one that sends it
	Start  *ChildStart `json:"start,omitempty"`  // start this child
	Unwind *ChildStart `json:"unwind,omitempty"` // compensate this child, whatever its status; it may not have started yet, and has no data
	Ended  *Parent     `json:"ended,omitempty"`  // the saga, a child, has ended
}

// ChildStart is the start of a child.
type ChildStart struct {
	ID         string          `json:"id"`
	Definition string          `json:"definition"` // the latest version
	Data       json.RawMessage `json:"data,omitempty"`
	Parent     Parent          `json:"parent"`
	// Compensatable is set if the step may have to be compensated, so that the child must not have a pivot.
	Compensatable bool   `json:"compensatable,omitempty"`
	Priority      uint8  `json:"priority,omitempty"`
	TraceParent   string `json:"trace_parent,omitempty"`
}

// ChildEnded reports to a parent how its child has ended, or that it could not be started or compensated.
type ChildEnded struct {
	Step   string
	Child  string
	Status Status // empty if Refused
	// Revision is that of the child at its end. A child can open again and end again: only a later end is news. 0: unknown.
	Revision int64
	Data     json.RawMessage
	Hidden   []Pointer   // to what is sensitive in the data
	Failure  *Failure    // of the child, if it turned back; without sensitive values
	Refused  *ReplyError // nil: the child has ended
	// Answers is the message to which a refusal answers. Exists reports that the child is there, and will not turn back.
	Answers CommandID
	Exists  bool
}

// Unwind asks a child to compensate, whatever its status, because its parent turns back.
type Unwind struct{}

func (ChildEnded) cause() {}
func (Unwind) cause()     {}

// Child returns the child of the step's last execution, or "".
func (s *StepState) Child() string {
	if len(s.Children) == 0 {
		return ""
	}
	return s.Children[len(s.Children)-1]
}

// childID derives the id of a child from the command that starts it, so that it starts once.
func childID(command CommandID, now time.Time) string {
	hash := sha256.Sum256([]byte(command.String()))
	var id ulid.ULID
	_ = id.SetTime(uint64(max(now.UnixMilli(), 0))) // the time of an event is within the range of ULIDs
	copy(id[6:], hash[:])
	return id.String()
}

// compensable reports whether step i can be compensated: by a worker, or by compensating its child.
func (d *Definition) compensable(in *Instance, i int) bool {
	step := &d.Steps[i]
	return step.Compensation != "" || step.Saga != "" && step.Kind == Compensatable && in.Steps[i].Child() != ""
}

// startChild starts the child of step i.
func (t *transition) startChild(i int) (child string) {
	s := &t.next.Steps[i]
	id := CommandID{Saga: t.next.ID, Step: s.Name, Direction: Execute, Round: s.execution(), Attempt: s.Attempts}
	child = childID(id, t.now)
	s.Children, s.ChildRevision = append(append([]string(nil), s.Children...), child), 0
	s.DeadlineAt = t.in(waitLook)
	start := t.childStart(i)
	start.Data, start.Parent.Hidden = t.commandData(i), t.hiddenFromParent(i)
	t.messages = append(t.messages, Message{ID: id, Start: &start})
	return child
}

func (t *transition) childStart(i int) ChildStart {
	s, level := &t.next.Steps[i], 2
	if parent := t.next.Parent; parent != nil {
		level = parent.Level + 1
	}
	return ChildStart{
		ID: s.Child(), Definition: t.def.Steps[i].Saga, Priority: t.next.Priority, TraceParent: t.next.TraceParent,
		Parent: Parent{Saga: t.next.ID, Step: s.Name, Level: level}, Compensatable: t.def.Steps[i].Kind == Compensatable,
	}
}

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

// tellParent tells the parent that its child has ended.
func (t *transition) tellParent(before Status) {
	if t.next.Parent == nil || !t.next.Status.Terminal() || before == t.next.Status {
		return
	}
	t.messages = append(t.messages, t.next.EndedMessage())
}

// EndedMessage returns what a child that has ended tells its parent. The revision of an unreadable saga may be no attempt.
func (in *Instance) EndedMessage() Message {
	id := CommandID{Saga: in.ID, Step: ParentStep, Direction: Execute, Round: 1, Attempt: max(int(in.Revision), 1)}
	return Message{ID: id, Ended: in.Parent}
}
