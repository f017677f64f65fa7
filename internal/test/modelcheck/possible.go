package modelcheck

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// moves returns everything that can happen in a state.
func (w *search) moves(s *State) []Move {
	var all []Move
	for i := range s.Saga.Steps {
		if w.workers {
			all = append(all, deliveries(w.def, s, i)...)
		}
		all = append(all, w.replies(s, i)...)
		all = append(all, w.brokers(s, i)...)
	}
	if w.options.Child {
		all = append(all, Move{What: Unwinds})
	}
	all = append(all, w.wakes(&s.Saga)...)
	return w.withHeld(s, append(all, w.actions(s)...))
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
	if w.def.Steps[i].Wait() != saga.NoWait {
		all = w.wait(s, i)
	}
	if w.workers {
		sends := w.def.Steps[i].Wait() == saga.NoWait
		add(sends && worker.happened(), Succeeds)
		add(worker.Answer == FailedForNow, FailsForNow)
		add(worker.Answer == FailedForGood, FailsForGood)
		add(worker.Compensated&(1<<(state.Round-1)) != 0, CompensationSucceeds)
		add(worker.CompensationAnswer == FailedForNow, CompensationFailsForNow)
		add(worker.CompensationAnswer == FailedForGood, CompensationFailsForGood)
		if sends && worker.Before && len(state.Unsettled) > 0 {
			all = append(all, Move{What: Succeeds, Step: i, Before: true})
		}
		return all
	}
	return append(all, w.strangers(s, i)...)
}

// strangers returns the replies for step i that anyone may send.
func (w *search) strangers(s *State, i int) []Move {
	var all []Move
	add := func(moves ...Move) {
		for _, m := range moves {
			m.Step = i
			all = append(all, m)
		}
	}
	state, waits := &s.Saga.Steps[i], w.def.Steps[i].Wait() != saga.NoWait
	if state.Rewinds > 0 && !waits {
		add(Move{What: Succeeds, Before: true}, Move{What: FailsForGood, Before: true})
	}
	if executed := state.Attempts > 0 && !waits; executed {
		add(Move{What: Succeeds}, Move{What: FailsForNow}, Move{What: FailsForGood})
		add(Move{What: Succeeds, Older: true}, Move{What: FailsForGood, Older: true})
		if w.options.Deadline {
			add(Move{What: Succeeds, Late: true}, Move{What: FailsForNow, Late: true})
		}
		if w.tooMuch != nil {
			add(Move{What: TooMuch, Out: w.tooMuch})
		}
		if w.def.Steps[i].OutputSchema != nil {
			add(Move{What: TooMuch, Out: json.RawMessage(unfit)})
		}
	}
	if state.CompensationAttempts > 0 && w.def.Steps[i].Saga == "" {
		add(Move{What: CompensationSucceeds}, Move{What: CompensationFailsForNow}, Move{What: CompensationFailsForGood})
		add(Move{What: CompensationSucceeds, Older: true}, Move{What: CompensationFailsForGood, Older: true})
	}
	execute, compensation := commandIDs(&s.Saga, i, false)
	if waits {
		add(Move{What: Foreign, Never: execute})
	}
	execute.Attempt++
	compensation.Attempt++
	add(Move{What: Foreign, Never: execute}, Move{What: Foreign, Never: compensation})
	execute.Round, execute.Attempt = execute.Round+1, 1
	add(Move{What: Foreign, Never: execute})
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
	if !state.DeadlineAt.IsZero() && state.Waiting == saga.NoWait {
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
func deliveries(def *saga.Definition, s *State, i int) []Move {
	var all []Move
	state, worker, sends := &s.Saga.Steps[i], s.Workers[i], def.Steps[i].Wait() == saga.NoWait
	if state.Attempts > 0 && sends {
		if worker.Effect == None && worker.Answer == Silent {
			all = append(all, Move{What: Delivered, Step: i, Answer: FailedForNow}, Move{What: Delivered, Step: i, Answer: FailedForGood})
		}
		all = append(all, Move{What: Delivered, Step: i})
	}
	if state.CompensationAttempts > 0 && def.Steps[i].Saga == "" {
		if worker.Effect == InEffect && worker.CompensationAnswer == Silent {
			all = append(all, Move{What: CompensationDelivered, Step: i, Answer: FailedForNow}, Move{What: CompensationDelivered, Step: i, Answer: FailedForGood})
		}
		all = append(all, Move{What: CompensationDelivered, Step: i})
	}
	if !sends {
		all = append(all, worker.childDeliveries(i)...)
	}
	if worker.Repeated {
		all = append(all, Move{What: OlderCompensationDelivered, Step: i})
	}
	return all
}
