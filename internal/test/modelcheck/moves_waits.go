package modelcheck

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// signals reports whether the move gives a signal.
func (m Move) signals() bool { return m.What >= SignalSucceeds && m.What <= SignalConflicts }

// reports reports whether the move is what a child tells its parent.
func (m Move) reports() bool { return m.What >= ChildCompletes && m.What <= ChildDeclines }

// wait returns what may happen to step i, which waits instead of sending a command.
func (w *search) wait(s *State, i int) []Move {
	var all []Move
	state := &s.Saga.Steps[i]
	add := func(whats ...What) {
		for _, what := range whats {
			all = append(all, Move{What: what, Step: i})
			if w.options.Deadline && (what == SignalSucceeds || what == ChildCompletes || what == ChildCompensates) {
				all = append(all, Move{What: what, Step: i, Late: true})
			}
		}
	}
	switch w.def.Steps[i].Wait() {
	case saga.WaitForSignal:
		add(SignalSucceeds, SignalFails, SignalUnfit)
		if state.Signal != nil {
			add(SignalRepeats, SignalKeyed, SignalConflicts)
		}
		if len(state.EarlierSignals) > 0 {
			add(SignalEarlier)
		}
	case saga.WaitForChild:
		if w.workers {
			return s.Workers[i].childReports(i)
		}
		if state.Child() != "" {
			add(ChildCompletes, ChildUnfit, ChildCompensates, ChildAbandons, ChildRefuses, ChildDeclines)
		}
		if len(state.Children) > 1 {
			all = append(all, Move{What: ChildCompletes, Step: i, Before: true}, Move{What: ChildCompensates, Step: i, Before: true}, Move{What: ChildAbandons, Step: i, Before: true})
		}
		if state.ChildRevision > 0 {
			all = append(all, Move{What: ChildCompletes, Step: i, Older: true}, Move{What: ChildAbandons, Step: i, Older: true})
		}
	}
	return all
}

// signal returns the signal of the move.
func (m Move) signal(s *saga.StepState) saga.Signal {
	given := saga.Signal{ID: "new", Name: "go", Output: json.RawMessage(fit), Actor: "caller"}
	switch m.What {
	case SignalFails:
		given.Output, given.Error = nil, &saga.StepError{Code: "no", Message: "refused"}
	case SignalUnfit:
		given.Output = json.RawMessage(unfit)
	case SignalRepeats:
		given.ID = s.Signal.ID
	case SignalKeyed:
		given.Key, given.Hash = s.Signal.Key, s.Signal.Hash
	case SignalEarlier:
		given.Key, given.Hash = s.EarlierSignals[0].Key, s.EarlierSignals[0].Hash
	case SignalConflicts:
		given.Key, given.Hash = s.Signal.Key, []byte("another body")
	}
	return given
}

// childEnded returns the report of the move.
func (m Move) childEnded(in *saga.Instance) saga.ChildEnded {
	s := &in.Steps[m.Step]
	ended := saga.ChildEnded{Step: s.Name, Child: s.Child(), Data: json.RawMessage(fit), Revision: s.ChildRevision + 1}
	if m.Older {
		ended.Revision = s.ChildRevision
	}
	if m.Before {
		ended.Child = s.Children[0]
	}
	switch m.What {
	case ChildCompletes:
		ended.Status = saga.Completed
	case ChildUnfit:
		ended.Status, ended.Data = saga.Completed, json.RawMessage(unfit)
	case ChildCompensates:
		ended.Status, ended.Failure = saga.Compensated, &saga.Failure{Code: "no", Message: "it failed"}
	case ChildAbandons:
		ended.Status = saga.Abandoned
	default:
		ended.Revision, ended.Exists = 0, m.What == ChildDeclines
		_, ended.Answers = commandIDs(in, m.Step, m.Older)
		ended.Refused = &saga.ReplyError{Code: "no", Message: "refused"}
	}
	return ended
}
