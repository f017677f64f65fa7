package modelcheck

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// What is a kind of move.
type What uint8

// The kinds of moves: events of the core, then deliveries of commands to workers.
const (
	Succeeds What = iota // a reply to the last attempt, or to an older one
	FailsForNow
	FailsForGood
	CompensationSucceeds
	CompensationFailsForNow
	CompensationFailsForGood
	Lost
	CompensationLost
	Published
	FallsDue // timers, any set of them
	FallsDueUnpublished
	Acts
	TooMuch // a success with an output that the data cannot hold
	Foreign // a reply to a command that was never sent
	SignalSucceeds
	SignalFails
	SignalUnfit     // with an output that breaks the schema
	SignalRepeats   // the request that was taken in, again
	SignalKeyed     // its idempotency key, with the same body
	SignalEarlier   // one from before a retry or a rewind, by its key
	SignalConflicts // its idempotency key, with another body
	ChildCompletes  // the child reports its end
	ChildUnfit      // it completed, with data that breaks the schema
	ChildCompensates
	ChildAbandons
	ChildRefuses  // it cannot start
	ChildDeclines // it will not be compensated
	Unwinds       // the saga is a child, and its parent turns back

	Delivered
	CompensationDelivered
	OlderCompensationDelivered
	ChildStartDelivered
	ChildUnwindDelivered
	ChildProgresses // Child says how
)

func (w What) String() string {
	return [...]string{
		"succeeds", "fails for now", "fails for good", "is compensated", "fails to compensate for now", "fails to compensate for good",
		"has its command lost", "has its compensation lost", "has its command published", "falls due",
		"falls due, still in the outbox", "acts", "succeeds with too much", "is answered without a command",
		"gets its signal", "gets its signal with an error", "gets a signal that does not fit", "gets its signal again", "gets its signal again by key", "gets a signal from before again",
		"gets another signal under the same key", "hears that its child completed", "hears that its child completed with data that does not fit",
		"hears that its child is compensated", "hears that its child was abandoned", "hears that its child cannot start", "hears that its child declines", "is turned back by the parent",
		"has its command delivered", "has its compensation delivered", "has an older compensation delivered",
		"has the start of its child delivered", "has the turning back of its child delivered", "has its child",
	}[w]
}

// Move is one thing that can happen in a state.
type Move struct {
	What   What
	Step   int
	Older  bool            // of a reply: to an attempt, or a round, before the last
	Before bool            // of a reply: to the execution before the last rewind
	Late   bool            // every timer is due, but none has fired
	Timers uint8           // of FallsDue: the steps whose timers fire, and the bits below
	Answer Answer          // of a delivery: the outcome at the worker
	Action saga.ActionName // of Acts
	Named  bool            // of Acts: Step is named
	Out    json.RawMessage // of TooMuch
	Never  saga.CommandID  // of Foreign
	Data   json.RawMessage // the data of the saga; nil: worldData
	Child  Child           // of ChildProgresses
	Held   uint8           // the steps whose commands were never sent, as the transaction finds in the outbox
}

// Timers of the saga rather than of a step.
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
		fmt.Fprintf(&text, "an operator asks for %s", m.Action)
		if m.Named {
			text.WriteString(" of " + stepName(m.Step)) // of a rewind: to it
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
	if m.Before {
		text.WriteString(" (before the rewind)")
	}
	if m.Late {
		text.WriteString(" (late)")
	}
	for i := range maxSteps {
		if m.Held&(1<<i) != 0 {
			text.WriteString(" (" + stepName(i) + " held back)")
		}
	}
	if m.What == ChildProgresses {
		text.WriteString(" " + m.Child.String())
	}
	if m.Data != nil {
		fmt.Fprintf(&text, " (data %s)", m.Data)
	}
	if m.Answer != Silent {
		text.WriteString([]string{"", " and fails for now", " and fails for good"}[m.Answer])
	}
	return text.String()
}

// delivery reports whether the move is between broker and worker, without an event for the saga.
func (m Move) delivery() bool { return m.What >= Delivered }

// byOperator reports whether an operator makes the move: of this saga, or of its parent.
func (m Move) byOperator() bool { return m.What == Acts || m.What == Unwinds }

// event returns the event for the core, and the instance with its timers due.
func (m Move) event(in saga.Instance) (saga.Instance, saga.Event) {
	event := saga.Event{At: now, OverdueAfter: overdueAfter, HeldBack: m.heldIn(&in), Cause: m.cause(&in)}
	if m.Late {
		event.At = now.Add(muchLater)
	}
	if m.Data != nil {
		in.Data = m.Data
	}
	if m.What != FallsDue && m.What != FallsDueUnpublished {
		return in, event
	}
	data := in.Data
	in = normalize(in) // a copy
	in.Data = data
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
	execute, compensation := commandIDs(in, m.Step, m.Older)
	if m.Before {
		execute.Round, execute.Attempt = execute.Round-1, 1
	}
	switch m.What {
	case Succeeds:
		return saga.Reply{Command: execute, Succeeded: true}
	case TooMuch:
		return saga.Reply{Command: execute, Succeeded: true, Output: m.Out}
	case FailsForNow, FailsForGood:
		return saga.Reply{Command: execute, Error: &saga.ReplyError{Code: "no", Retryable: m.What == FailsForNow}}
	case CompensationSucceeds:
		return saga.Reply{Command: compensation, Succeeded: true}
	case CompensationFailsForNow, CompensationFailsForGood:
		return saga.Reply{Command: compensation, Error: &saga.ReplyError{Code: "no", Retryable: m.What == CompensationFailsForNow}}
	case Lost:
		return saga.Lost{Command: execute}
	case CompensationLost:
		return saga.Lost{Command: compensation}
	case Published:
		return saga.Published{Command: execute}
	case Foreign:
		return saga.Reply{Command: m.Never, Succeeded: true}
	case Acts:
		action := saga.Action{Name: m.Action, Reason: "test", Actor: "operator"}
		if m.Named && m.Action == saga.ActionRewind {
			action.To = in.Steps[m.Step].Name
		} else if m.Named {
			action.Step = in.Steps[m.Step].Name
		}
		if m.Action == saga.ActionPatchData {
			action.Patch = json.RawMessage(`{}`)
		}
		return action
	case Unwinds:
		return saga.Unwind{}
	default:
		if m.signals() {
			return m.signal(&in.Steps[m.Step])
		}
		if m.reports() {
			return m.childEnded(in)
		}
		wake := saga.Wake{Unpublished: m.heldIn(in)}
		if m.What == FallsDueUnpublished {
			wake.Unpublished = map[string]bool{execute.String(): true, compensation.String(): true}
		}
		return wake
	}
}

// commandIDs returns the ids of the last commands of a step, or of the ones before them.
func commandIDs(in *saga.Instance, step int, older bool) (execute, compensation saga.CommandID) {
	s := &in.Steps[step]
	execute = saga.CommandID{Saga: in.ID, Step: s.Name, Direction: saga.Execute, Round: s.Rewinds + 1, Attempt: s.Attempts}
	compensation = saga.CommandID{Saga: in.ID, Step: s.Name, Direction: saga.Compensate, Round: s.Round, Attempt: s.CompensationAttempts}
	if older {
		execute.Attempt--
		compensation.Attempt--
		if compensation.Attempt < 1 {
			compensation.Round, compensation.Attempt = compensation.Round-1, 1
		}
	}
	return execute, compensation
}
