package modelcheck

import (
	"github.com/saga-orchestrator/orchestrator/saga"
)

// moves returns everything that can happen in a state.
func (w *search) moves(s *State) []Move {
	var all []Move
	for i := range s.Saga.Steps {
		if w.workers {
			all = append(all, deliveries(s, i)...)
		}
		all = append(all, w.replies(s, i)...)
		all = append(all, w.brokers(s, i)...)
	}
	all = append(all, w.wakes(&s.Saga)...)
	return append(all, w.actions(s)...)
}

// replies returns the replies that may come for step i: any from strangers, otherwise only what the worker can have
// sent.
func (w *search) replies(s *State, i int) []Move {
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
		add(worker.Compensated&(1<<(state.Round-1)) != 0, CompensationSucceeds)
		add(worker.CompensationAnswer == FailedForNow, CompensationFailsForNow)
		add(worker.CompensationAnswer == FailedForGood, CompensationFailsForGood)
		if worker.Before && len(state.Unsettled) > 0 {
			all = append(all, Move{What: Succeeds, Step: i, Before: true})
		}
		return all
	}
	if state.Rewinds > 0 {
		all = append(all, Move{What: Succeeds, Step: i, Before: true}, Move{What: FailsForGood, Step: i, Before: true})
	}
	add(state.Attempts > 0, Succeeds, FailsForNow, FailsForGood)
	add(state.CompensationAttempts > 0, CompensationSucceeds, CompensationFailsForNow, CompensationFailsForGood)
	if state.Attempts > 0 {
		all = append(all, Move{What: Succeeds, Step: i, Older: true}, Move{What: FailsForGood, Step: i, Older: true})
	}
	if state.CompensationAttempts > 0 {
		all = append(all, Move{What: CompensationSucceeds, Step: i, Older: true}, Move{What: CompensationFailsForGood, Step: i, Older: true})
	}
	if w.options.Deadline && state.Attempts > 0 {
		all = append(all, Move{What: Succeeds, Step: i, Late: true}, Move{What: FailsForNow, Step: i, Late: true})
	}
	if w.tooMuch != nil && state.Attempts > 0 {
		all = append(all, Move{What: TooMuch, Step: i, Out: w.tooMuch})
	}
	execute, compensation := commandIDs(&s.Saga, i, false)
	execute.Attempt++
	compensation.Attempt++
	never := []saga.CommandID{execute, compensation}
	execute.Round, execute.Attempt = execute.Round+1, 1
	for _, id := range append(never, execute) {
		all = append(all, Move{What: Foreign, Step: i, Never: id})
	}
	return all
}

// brokers returns what the broker and the relay may report about the commands of step i.
func (w *search) brokers(s *State, i int) []Move {
	var all []Move
	state := &s.Saga.Steps[i]
	if state.Attempts > 0 {
		all = append(all, Move{What: Lost, Step: i}, Move{What: Published, Step: i})
	}
	if state.CompensationAttempts > 0 {
		all = append(all, Move{What: CompensationLost, Step: i})
	}
	if !state.DeadlineAt.IsZero() {
		all = append(all, Move{What: FallsDueUnpublished, Step: i, Timers: 1 << i})
	}
	return all
}

// wakes returns the ways in which timers can fall due: each alone, any two together, and all.
func (w *search) wakes(in *saga.Instance) []Move {
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
	all := []Move{{What: FallsDue}} // a wake with nothing due
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

// actions returns every action of an operator, sensible or not.
func (w *search) actions(s *State) []Move {
	var all []Move
	in := &s.Saga
	for _, name := range actionNames() {
		if name == saga.ActionRewind && !w.mayRewind(s) {
			continue
		}
		all = append(all, Move{What: Acts, Action: name})
		if w.options.Deadline {
			all = append(all, Move{What: Acts, Action: name, Late: true})
		}
		ofStep := name == saga.ActionRewind || name == saga.ActionSkip || name == saga.ActionRetry || name == saga.ActionCompensate && in.Status.Terminal()
		for i := range in.Steps {
			if ofStep {
				all = append(all, Move{What: Acts, Action: name, Step: i, Named: true})
			}
			if name == saga.ActionRewind && w.options.Deadline {
				all = append(all, Move{What: Acts, Action: name, Step: i, Named: true, Late: true})
			}
		}
	}
	return all
}

func actionNames() []saga.ActionName {
	return []saga.ActionName{
		saga.ActionRetry, saga.ActionSkip, saga.ActionCompensate, saga.ActionAbandon, saga.ActionAcknowledge,
		saga.ActionPause, saga.ActionResume, saga.ActionPatchData, saga.ActionRewind,
	}
}

// deliveries returns the commands of step i that can reach its worker, with every outcome.
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
		if worker.Effect == InEffect && worker.CompensationAnswer == Silent {
			all = append(all, Move{What: CompensationDelivered, Step: i, Answer: FailedForNow}, Move{What: CompensationDelivered, Step: i, Answer: FailedForGood})
		}
		all = append(all, Move{What: CompensationDelivered, Step: i})
	}
	if worker.Repeated {
		all = append(all, Move{What: OlderCompensationDelivered, Step: i})
	}
	return all
}
