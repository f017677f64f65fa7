package modelcheck

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Child is the state of the child of a step, which keeps the rules of sagas.
type Child uint8

// The states of a child.
const (
	Unstarted Child = iota
	Going
	Complete
	Reversing
	Reversed
	Given // abandoned by an operator
	Impossible
)

func (c Child) String() string {
	return [...]string{"not started", "running", "completed", "compensating", "compensated", "abandoned", "refused"}[c]
}

// ended reports whether a child in this state has told its parent something.
func (c Child) ended() bool { return c == Complete || c >= Reversed }

// childReports returns what the child of step i can tell its parent now, again and again.
func (w Worker) childReports(i int) []Move {
	switch w.Child {
	case Complete:
		return []Move{{What: ChildCompletes, Step: i, Older: w.Heard}}
	case Reversed:
		return []Move{{What: ChildCompensates, Step: i}}
	case Given:
		return []Move{{What: ChildAbandons, Step: i, Older: w.Heard}}
	case Impossible:
		return []Move{{What: ChildRefuses, Step: i}}
	default:
		return nil
	}
}

// childDeliveries returns what may happen to the child of step i without an event for the parent.
func (w Worker) childDeliveries(i int) []Move {
	var all []Move
	progresses := func(to ...Child) {
		for _, state := range to {
			all = append(all, Move{What: ChildProgresses, Step: i, Child: state})
		}
	}
	if w.StartSent && w.Child == Unstarted {
		all = append(all, Move{What: ChildStartDelivered, Step: i})
		progresses(Impossible)
	}
	if w.UnwindSent && w.Child != Impossible {
		all = append(all, Move{What: ChildUnwindDelivered, Step: i})
	}
	switch w.Child {
	case Going:
		progresses(Complete, Reversed, Given)
	case Reversing:
		progresses(Reversed, Given)
	}
	return all
}

// child applies a delivery to a child.
func (w Worker) child(m Move) Worker {
	switch {
	case m.What == ChildProgresses:
		w.Child, w.Heard = m.Child, false
	case m.What == ChildStartDelivered && w.Child == Unstarted:
		w.Child = Going
	case m.What == ChildUnwindDelivered && w.Child == Unstarted:
		w.Child, w.Heard = Reversed, false // it is started for the record only
	case m.What == ChildUnwindDelivered && (w.Child == Going || w.Child == Complete || w.Child == Given):
		w.Child = Reversing
	}
	w.Effect = None
	switch w.Child {
	case Complete:
		w.Effect = InEffect
	case Reversed:
		w.Effect = Compensated
	}
	return w
}

// waited follows what a decision means for steps that wait: a wait that ended is in effect, and messages leave for children.
func (s *State) waited(def *saga.Definition, decision *saga.Decision, m Move) {
	for _, entry := range decision.Entries {
		i := stepOf(def, entry.Step)
		if i < 0 || entry.Type != saga.EntryStepSucceeded {
			continue
		}
		if wait := def.Steps[i].Wait(); wait != saga.NoWait && wait != saga.WaitForChild {
			s.Workers[i].Effect = InEffect
		}
	}
	if m.reports() {
		s.Workers[m.Step].Heard = true
	}
	for _, message := range decision.Messages {
		i := stepOf(def, message.ID.Step)
		switch {
		case message.Start != nil:
			w := &s.Workers[i]
			*w = Worker{StartSent: true}
		case message.Unwind != nil:
			s.Workers[i].UnwindSent = true
		}
	}
}

// inEffect reports whether something of step i is left, or may come to be.
func (w Worker) inEffect(def *saga.Definition, i int) bool {
	if def.Steps[i].Saga == "" {
		return w.Effect == InEffect
	}
	return w.StartSent && w.Child != Reversed && w.Child != Impossible
}

// settleChild compares the end of the saga with the child of step i.
func (s *State) settleChild(def *saga.Definition, i int) string {
	w := s.Workers[i]
	if def.Steps[i].Saga == "" || def.Steps[i].Kind != saga.Compensatable || s.Waived&(1<<i) != 0 {
		return ""
	}
	if s.Saga.Status == saga.Compensated && w.inEffect(def, i) {
		return fmt.Sprintf("compensated, but the child of step %s is %s", def.Steps[i].Name, w.Child)
	}
	return ""
}
