package modelcheck

import "github.com/saga-orchestrator/orchestrator/saga"

// Worker is what became of one step at a worker that keeps the barrier's promises, and what its replies could say now.
// A reply that was given can be given again at any time; a success of an effect stays one, whichever attempt asks.
type Worker struct {
	Effect Effect
	// Answer is the failure that the attempt which is out has been answered with.
	Answer Answer
	// Undone has a bit for the compensation of this round, once it is done, and before it one for those of all earlier
	// rounds.
	Undone uint8
	// UndoAnswer is the failure that the compensation's attempt which is out has been answered with.
	UndoAnswer Answer
}

// Effect is what a step amounts to in its service's books.
type Effect uint8

// The states of an effect. Refused is the tombstone of a compensation that came first.
const (
	None Effect = iota
	InEffect
	Undone
	Refused
)

// Answer is how a worker has answered the attempt that is out.
type Answer uint8

// The answers that an attempt may have got already.
const (
	Silent Answer = iota
	FailedForNow
	FailedForGood
)

// workerKey leaves out what makes no difference: which failure was the answer matters only while it can be told.
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
		w.UndoAnswer = min(w.UndoAnswer, FailedForNow)
	}
	if w.Effect != InEffect {
		w.UndoAnswer = Silent
	}
	key := int(w.Effect) | int(w.Answer)<<2 | int(w.UndoAnswer)<<4 | int(w.Undone)<<6
	if s.Waived&(1<<i) != 0 {
		key |= 1 << 10
	}
	return key
}

// happened says whether the step ever took effect, so that a success can be on its way.
func (w Worker) happened() bool { return w.Effect == InEffect || w.Effect == Undone }

// execute is a delivery of the step's command, with what the worker makes of it where it has a choice.
func (w Worker) execute(outcome Answer) Worker {
	switch {
	case w.Effect == Refused || w.Effect == Undone && w.Answer == Silent:
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

// compensate is a delivery of the compensation's command of a round; current says that it is the attempt that is out.
func (w Worker) compensate(round int, outcome Answer, current bool) Worker {
	done := uint8(1) << (round - 1)
	switch {
	case w.Undone&done != 0 || current && w.UndoAnswer != Silent:
		return w // the stored reply is sent again
	case w.Effect == InEffect && outcome != Silent:
		if current {
			w.UndoAnswer = outcome
		}
		return w
	case w.Effect == InEffect:
		w.Effect = Undone
	case w.Effect == None:
		w.Effect = Refused
	}
	w.Undone |= done
	return w
}

// replaced forgets the answers to attempts that a new command has replaced.
func (s *State) replaced(commands []saga.Command, step func(string) int) {
	for _, command := range commands {
		w := &s.Workers[step(command.ID.Step)]
		if command.ID.Direction == saga.Execute {
			w.Answer = Silent
		} else {
			w.UndoAnswer = Silent
			if command.ID.Round > 2 && command.ID.Attempt == 1 {
				w.Undone = w.Undone & (w.Undone >> 1) & 1 // there are two older rounds now, which count as one
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
	case UndoDelivered:
		w = w.compensate(state.Round, m.Answer, true)
	default:
		for round := 1; round < state.Round; round++ {
			w = w.compensate(round, Silent, false)
		}
	}
	s.Workers[m.Step] = w
}
