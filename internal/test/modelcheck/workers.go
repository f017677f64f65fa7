package modelcheck

import "github.com/saga-orchestrator/orchestrator/saga"

// Worker is the state of one step at a worker that keeps the barrier's promises. A reply can be repeated at any time,
// and a success stays one for every attempt.
type Worker struct {
	Effect Effect
	// Answer is the failure with which the attempt that is out was answered.
	Answer Answer
	// Compensated has a bit for the finished compensation of this round, and one for those of all earlier rounds.
	Compensated uint8
	// CompensationAnswer is the failure with which the attempt of the compensation that is out was answered.
	CompensationAnswer Answer
	// Before means that an execution before the last rewind took effect: its success can still arrive.
	Before bool
	// Sent means that the execution's compensation was sent, and Repeated that it was sent in more than one round. Rounds
	// from before a rewind are for other executions.
	Sent, Repeated bool
	// Child is the state of the step's child. StartSent and UnwindSent mean that its start, or its turning back, is on its way.
	Child                 Child
	StartSent, UnwindSent bool
	// Heard means that the saga knows how the child has ended.
	Heard bool
}

// Effect is the state of a step in the ledger of its service.
type Effect uint8

// The states of an effect. Refused is the tombstone of a compensation that came before its command.
const (
	None Effect = iota
	InEffect
	Compensated
	Refused
)

// Answer is the answer to the attempt that is out.
type Answer uint8

// The possible answers.
const (
	Silent Answer = iota
	FailedForNow
	FailedForGood
)

// workerKey omits what makes no difference, such as the kind of a failure that can no longer be reported.
func (s *State) workerKey(i int) int {
	w, state := s.Workers[i], &s.Saga.Steps[i]
	if state.Status != saga.StepRunning {
		if w.Effect == None && w.Answer != Silent && state.Status != saga.StepRetrying {
			w.Effect = Refused // no attempt is left that could take effect
		}
		w.Answer = min(w.Answer, FailedForNow)
		if w.Effect != None {
			w.Answer = Silent
		}
	}
	if state.Status != saga.StepCompensating {
		w.CompensationAnswer = min(w.CompensationAnswer, FailedForNow)
	}
	if w.Effect != InEffect {
		w.CompensationAnswer = Silent
	}
	key := int(w.Effect) | int(w.Answer)<<2 | int(w.CompensationAnswer)<<4 | int(w.Compensated)<<6
	if s.Waived&(1<<i) != 0 {
		key |= 1 << 10
	}
	key |= int(w.Child) << 17
	for bit, is := range []bool{w.Before && len(state.Unsettled) > 0, w.Sent, w.Repeated, w.StartSent, w.UnwindSent, w.Heard && w.Child.ended()} {
		if is {
			key |= 1 << (11 + bit)
		}
	}
	return key
}

// happened reports whether the step ever took effect, so that a success can be on its way.
func (w Worker) happened() bool { return w.Effect == InEffect || w.Effect == Compensated }

// execute delivers the command of the step, with the outcome if the worker has a choice.
func (w Worker) execute(outcome Answer) Worker {
	switch {
	case w.Effect == Refused || w.Effect == Compensated && w.Answer == Silent:
		w.Answer = FailedForGood // compensated already
	case w.Effect != None || w.Answer != Silent:
		// The stored reply is sent again.
	case outcome == Silent:
		w.Effect = InEffect
	default:
		w.Answer = outcome
	}
	return w
}

// compensate delivers the compensation of a round; current means that it is the attempt that is out.
func (w Worker) compensate(round int, outcome Answer, current bool) Worker {
	done := uint8(1) << (round - 1)
	switch {
	case w.Compensated&done != 0 || current && w.CompensationAnswer != Silent:
		return w // the stored reply is sent again
	case w.Effect == InEffect && outcome != Silent:
		if current {
			w.CompensationAnswer = outcome
		}
		return w
	case w.Effect == InEffect:
		w.Effect = Compensated
	case w.Effect == None:
		w.Effect = Refused
	}
	w.Compensated |= done
	return w
}

// replaced drops the answers to attempts that a new command has replaced.
func (s *State) replaced(commands []saga.Command, step func(string) int) {
	for _, command := range commands {
		w := &s.Workers[step(command.ID.Step)]
		if command.ID.Direction == saga.Execute {
			w.Answer = Silent
		} else {
			w.CompensationAnswer = Silent
			w.Repeated = w.Repeated || w.Sent && command.ID.Attempt == 1
			w.Sent = true
			if command.ID.Round > 2 && command.ID.Attempt == 1 {
				w.Compensated = w.Compensated & (w.Compensated >> 1) & 1 // two older rounds now count as one
			}
		}
	}
}

// deliver applies a delivery to the workers.
func (s *State) deliver(m Move) {
	w, state := s.Workers[m.Step], &s.Saga.Steps[m.Step]
	switch m.What {
	case Delivered:
		w = w.execute(m.Answer)
	case CompensationDelivered:
		w = w.compensate(state.Round, m.Answer, true)
	case ChildStartDelivered, ChildUnwindDelivered, ChildProgresses:
		w = w.child(m)
	default:
		for round := 1; round < state.Round; round++ {
			w = w.compensate(round, Silent, false)
		}
	}
	s.Workers[m.Step] = w
}
