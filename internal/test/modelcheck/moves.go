package modelcheck

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// What is what can happen to a saga.
type What uint8

// What can happen. The first group are events of the core, the second are deliveries of commands to workers.
const (
	Succeeds What = iota // the reply to the attempt that was sent last, or to an older one
	FailsForNow
	FailsForGood
	UndoSucceeds
	UndoFailsForNow
	UndoFailsForGood
	Lost
	UndoLost
	Published
	FallsDue // timers, all at once
	FallsDueUnpublished
	Acts
	TooMuch // a success with an output that the saga's data cannot hold
	Foreign // a reply to a command that was never sent

	Delivered
	UndoDelivered
	OlderUndoDelivered
)

func (w What) String() string {
	return [...]string{
		"succeeds", "fails for now", "fails for good", "is undone", "is not undone for now", "is not undone for good",
		"has its command lost", "has its compensation lost", "has its command published", "falls due",
		"falls due, still in the outbox", "acts", "succeeds with too much", "is answered without a command",
		"has its command delivered", "has its compensation delivered", "has an older compensation delivered",
	}[w]
}

// Move is one thing that can happen in a state.
type Move struct {
	What   What
	Step   int
	Older  bool            // of a reply: to an attempt, or a round, before the last
	Late   bool            // every timer is due by now, but none has fired
	Timers uint8           // of FallsDue: the steps whose timers are, and the bits below
	Answer Answer          // of a delivery: what the worker makes of it
	Action saga.ActionName // of Acts
	Named  bool            // of Acts: Step is named
	Out    json.RawMessage // of TooMuch
	Before saga.CommandID  // of Foreign
}

// Timers that are no step's.
const (
	DeadlineTimer uint8 = 1 << (maxSteps + iota)
	StartTimer
	OverdueTimer
)

const overdueAfter = 10 * later

func (m Move) String() string {
	var text strings.Builder
	switch m.What {
	case Acts:
		fmt.Fprintf(&text, "a person asks for %s", m.Action)
		if m.Named {
			text.WriteString(" of " + stepName(m.Step))
		}
	case FallsDue, FallsDueUnpublished:
		for i, name := range []string{"a", "b", "c", "d", "the deadline", "the start", "overdue"} {
			if m.Timers&(1<<i) != 0 {
				text.WriteString(name + " ")
			}
		}
		text.WriteString(m.What.String())
	default:
		text.WriteString(stepName(m.Step) + " " + m.What.String())
	}
	if m.Older {
		text.WriteString(" (older)")
	}
	if m.Late {
		text.WriteString(" (late)")
	}
	if m.Answer != Silent {
		text.WriteString([]string{"", " and fails for now", " and fails for good"}[m.Answer])
	}
	return text.String()
}

// delivery says whether the move is between broker and worker, and the saga hears nothing of it.
func (m Move) delivery() bool { return m.What >= Delivered }

// personal says whether the move is a person's.
func (m Move) personal() bool { return m.What == Acts }

// event is what the core is told, and the instance as time has made it by then.
func (m Move) event(in saga.Instance) (saga.Instance, saga.Event) {
	event := saga.Event{At: now, OverdueAfter: overdueAfter, Cause: m.cause(&in)}
	if m.Late {
		event.At = now.Add(muchLater)
	}
	if m.What != FallsDue && m.What != FallsDueUnpublished {
		return in, event
	}
	in = normalize(in) // a copy
	in.WakeAt = now
	for i := range in.Steps {
		if s := &in.Steps[i]; m.Timers&(1<<i) != 0 {
			if !s.DeadlineAt.IsZero() {
				s.DeadlineAt = now
			}
			if !s.NextAttemptAt.IsZero() {
				s.NextAttemptAt = now
			}
		}
	}
	for timer, at := range map[uint8]*time.Time{DeadlineTimer: &in.DeadlineAt, StartTimer: &in.StartAt} {
		if m.Timers&timer != 0 {
			*at = now
		}
	}
	if m.Timers&OverdueTimer != 0 {
		in.ProgressAt = now.Add(-overdueAfter)
	}
	return in, event
}

func (m Move) cause(in *saga.Instance) saga.Cause {
	execute, undo := commandIDs(in, m.Step, m.Older)
	switch m.What {
	case Succeeds:
		return saga.Reply{Command: execute, Succeeded: true}
	case TooMuch:
		return saga.Reply{Command: execute, Succeeded: true, Output: m.Out}
	case FailsForNow, FailsForGood:
		return saga.Reply{Command: execute, Error: &saga.ReplyError{Code: "no", Retryable: m.What == FailsForNow}}
	case UndoSucceeds:
		return saga.Reply{Command: undo, Succeeded: true}
	case UndoFailsForNow, UndoFailsForGood:
		return saga.Reply{Command: undo, Error: &saga.ReplyError{Code: "no", Retryable: m.What == UndoFailsForNow}}
	case Lost:
		return saga.Lost{Command: execute}
	case UndoLost:
		return saga.Lost{Command: undo}
	case Published:
		return saga.Published{Command: execute}
	case Foreign:
		return saga.Reply{Command: m.Before, Succeeded: true}
	case Acts:
		action := saga.Action{Name: m.Action, Reason: "walk", Actor: "person"}
		if m.Named {
			action.Step = in.Steps[m.Step].Name
		}
		if m.Action == saga.ActionPatchData {
			action.Patch = json.RawMessage(`{}`)
		}
		return action
	default:
		wake := saga.Wake{}
		if m.What == FallsDueUnpublished {
			wake.Unpublished = map[string]bool{execute.String(): true, undo.String(): true}
		}
		return wake
	}
}

// commandIDs are those of the step's last commands, or of ones before them.
func commandIDs(in *saga.Instance, step int, older bool) (execute, undo saga.CommandID) {
	s := &in.Steps[step]
	execute = saga.CommandID{Saga: in.ID, Step: s.Name, Direction: saga.Execute, Round: 1, Attempt: s.Attempts}
	undo = saga.CommandID{Saga: in.ID, Step: s.Name, Direction: saga.Compensate, Round: s.Round, Attempt: s.CompensationAttempts}
	if older {
		execute.Attempt--
		undo.Attempt--
		if undo.Attempt < 1 {
			undo.Round, undo.Attempt = undo.Round-1, 1
		}
	}
	return execute, undo
}
