package modelcheck

import (
	"github.com/saga-orchestrator/orchestrator/saga"
)

// moves lists everything that can happen in a state.
func (w *walk) moves(s *State) []Move {
	var all []Move
	for i := range s.Saga.Steps {
		if w.workers {
			all = append(all, deliveries(s, i)...)
		}
		all = append(all, w.replies(s, i)...)
		all = append(all, w.brokers(s, i)...)
	}
	all = append(all, w.wakes(&s.Saga)...)
	return append(all, w.actions(&s.Saga)...)
}

// replies that may come for step i: any among strangers, else only what the worker can have said.
func (w *walk) replies(s *State, i int) []Move {
	state, worker := &s.Saga.Steps[i], s.Workers[i]
	var all []Move
	add := func(possible bool, whats ...What) {
		for _, what := range whats {
			if possible {
				all = append(all, Move{What: what, Step: i})
			}
		}
	}
	if w.workers {
		add(worker.happened(), Succeeds)
		add(worker.Answer == FailedForNow, FailsForNow)
		add(worker.Answer == FailedForGood, FailsForGood)
		add(worker.Undone&(1<<(state.Round-1)) != 0, UndoSucceeds)
		add(worker.UndoAnswer == FailedForNow, UndoFailsForNow)
		add(worker.UndoAnswer == FailedForGood, UndoFailsForGood)
		return all
	}
	add(state.Attempts > 0, Succeeds, FailsForNow, FailsForGood)
	add(state.CompensationAttempts > 0, UndoSucceeds, UndoFailsForNow, UndoFailsForGood)
	if state.Attempts > 0 {
		all = append(all, Move{What: Succeeds, Step: i, Older: true}, Move{What: FailsForGood, Step: i, Older: true})
	}
	if state.CompensationAttempts > 0 {
		all = append(all, Move{What: UndoSucceeds, Step: i, Older: true}, Move{What: UndoFailsForGood, Step: i, Older: true})
	}
	if w.options.Deadline && state.Attempts > 0 {
		all = append(all, Move{What: Succeeds, Step: i, Late: true}, Move{What: FailsForNow, Step: i, Late: true})
	}
	if w.tooMuch != nil && state.Attempts > 0 {
		all = append(all, Move{What: TooMuch, Step: i, Out: w.tooMuch})
	}
	execute, undo := commandIDs(&s.Saga, i, false)
	execute.Attempt++
	undo.Attempt++
	return append(all, Move{What: Foreign, Step: i, Before: execute}, Move{What: Foreign, Step: i, Before: undo})
}

// brokers are what the broker and the relay may say of the commands of step i.
func (w *walk) brokers(s *State, i int) []Move {
	var all []Move
	state := &s.Saga.Steps[i]
	if state.Attempts > 0 {
		all = append(all, Move{What: Lost, Step: i}, Move{What: Published, Step: i})
	}
	if state.CompensationAttempts > 0 {
		all = append(all, Move{What: UndoLost, Step: i})
	}
	if !state.DeadlineAt.IsZero() {
		all = append(all, Move{What: FallsDueUnpublished, Step: i, Timers: 1 << i})
	}
	return all
}

// wakes are the ways in which timers can fall due: each alone, any two together, and all.
func (w *walk) wakes(in *saga.Instance) []Move {
	if in.WakeAt.IsZero() {
		return []Move{{What: FallsDue}}
	}
	var set []uint8
	if w.options.Overdue {
		set = append(set, OverdueTimer)
	}
	if !in.DeadlineAt.IsZero() && !in.DeadlinePassed {
		set = append(set, DeadlineTimer)
	}
	if in.Status == saga.Scheduled {
		set = append(set, StartTimer)
	}
	for i := range in.Steps {
		if s := &in.Steps[i]; !s.DeadlineAt.IsZero() || !s.NextAttemptAt.IsZero() {
			set = append(set, 1<<i)
		}
	}
	all := []Move{{What: FallsDue}} // for nothing
	together := uint8(0)
	for i, timer := range set {
		together |= timer
		all = append(all, Move{What: FallsDue, Timers: timer})
		for _, other := range set[:i] {
			all = append(all, Move{What: FallsDue, Timers: timer | other})
		}
	}
	if len(set) > 2 {
		all = append(all, Move{What: FallsDue, Timers: together})
	}
	return all
}

// actions are everything that a person can ask for, sensible or not.
func (w *walk) actions(in *saga.Instance) []Move {
	var all []Move
	for _, name := range actionNames() {
		all = append(all, Move{What: Acts, Action: name})
		if w.options.Deadline {
			all = append(all, Move{What: Acts, Action: name, Late: true})
		}
		ofStep := name == saga.ActionSkip || name == saga.ActionRetry || name == saga.ActionCompensate && in.Status.Terminal()
		for i := range in.Steps {
			if ofStep {
				all = append(all, Move{What: Acts, Action: name, Step: i, Named: true})
			}
		}
	}
	return all
}

func actionNames() []saga.ActionName {
	return []saga.ActionName{
		saga.ActionRetry, saga.ActionSkip, saga.ActionCompensate, saga.ActionAbandon, saga.ActionAcknowledge,
		saga.ActionPause, saga.ActionResume, saga.ActionPatchData,
	}
}

// deliveries are the commands of step i that can reach its worker, and what that makes of them.
func deliveries(s *State, i int) []Move {
	var all []Move
	state, worker := &s.Saga.Steps[i], s.Workers[i]
	if state.Attempts > 0 {
		if worker.Effect == None && worker.Answer == Silent {
			all = append(all, Move{What: Delivered, Step: i, Answer: FailedForNow}, Move{What: Delivered, Step: i, Answer: FailedForGood})
		}
		all = append(all, Move{What: Delivered, Step: i})
	}
	if state.CompensationAttempts > 0 {
		if worker.Effect == InEffect && worker.UndoAnswer == Silent {
			all = append(all, Move{What: UndoDelivered, Step: i, Answer: FailedForNow}, Move{What: UndoDelivered, Step: i, Answer: FailedForGood})
		}
		all = append(all, Move{What: UndoDelivered, Step: i})
	}
	if state.Round > 1 {
		all = append(all, Move{What: OlderUndoDelivered, Step: i})
	}
	return all
}
