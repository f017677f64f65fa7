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
	CodeChildGone        = "child_gone"        // the row of a child that is to be compensated was deleted by hand
	CodeChildUnreadable  = "unreadable_saga"   // the row of a child that is to be compensated cannot be read
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

func (Unwind) cause() {}

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
