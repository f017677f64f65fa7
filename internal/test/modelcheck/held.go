package modelcheck

import (
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// withHeld adds the moves at which a transaction finds commands that were never sent, because settings of their queues hold
// them back: one command, or all that can be.
func (w *search) withHeld(s *State, moves []Move) []Move {
	all := uint8(0)
	for i := range s.Saga.Steps {
		if w.mayBeHeld(s, i) {
			all |= 1 << i
		}
	}
	if all == 0 {
		return moves
	}
	for _, m := range slices.Clone(moves) {
		if !m.looksIntoOutbox() {
			continue
		}
		for i := range s.Saga.Steps {
			if held := uint8(1) << i; all&held != 0 && held != all {
				m.Held = held
				moves = append(moves, m)
			}
		}
		m.Held = all
		moves = append(moves, m)
	}
	return moves
}

// mayBeHeld reports whether the execute command of step i that is out may never have been sent.
func (w *search) mayBeHeld(s *State, i int) bool {
	id, out := s.Saga.CommandOut(i)
	if !out || id.Direction != saga.Execute {
		return false
	}
	return !w.workers || s.Workers[i].Effect == None && s.Workers[i].Answer == Silent
}

// looksIntoOutbox reports whether the move can turn a saga back, or follows upon that, and its transaction reads the outbox.
func (m Move) looksIntoOutbox() bool {
	switch m.What {
	case FallsDue:
		return m.Timers == 0 || m.Timers == DeadlineTimer
	case Acts:
		return !m.Late && slices.Contains([]saga.ActionName{saga.ActionCompensate, saga.ActionRewind, saga.ActionResume, saga.ActionAbandon}, m.Action)
	default:
		return false
	}
}

// heldIn returns the ids of the commands that a move finds held back.
func (m Move) heldIn(in *saga.Instance) map[string]bool {
	if m.Held == 0 {
		return nil
	}
	held := make(map[string]bool)
	for i := range in.Steps {
		if id, out := in.CommandOut(i); out && m.Held&(1<<i) != 0 {
			held[id.String()] = true
		}
	}
	return held
}

// withdrawn settles that the workers never get what a decision has withdrawn. An earlier attempt of unknown outcome may
// still reach them.
func (s *State) withdrawn(def *saga.Definition, before *saga.Instance, withdrawn []saga.CommandID) {
	for _, id := range withdrawn {
		i := stepOf(def, id.Step)
		if !before.Steps[i].Uncertain && s.Workers[i].Effect == None {
			s.Workers[i].Answer = FailedForNow
		}
	}
}

// onlyTheUnsentIsWithdrawn: rules 5 and 17. A saga that turns back withdraws what was never sent, and awaits all else.
func onlyTheUnsentIsWithdrawn(e edge) string {
	held := e.move.heldIn(e.before)
	for _, id := range e.decision.Withdrawn {
		i := stepOf(e.def, id.Step)
		old, s := &e.before.Steps[i], &e.decision.Next.Steps[i]
		ended := s.Status == saga.StepFailed || s.Rewinds > old.Rewinds
		if old.Uncertain { // an earlier attempt may have taken effect
			again := s.Rewinds > old.Rewinds && !compensable(e.def, &e.decision.Next, i)
			ended = again || s.Status == saga.StepUnknown || s.CompensationAttempts > old.CompensationAttempts
		}
		if in := &e.decision.Next; in.Status == saga.Abandoned || in.ReopenedFrom != "" && !s.Reopened {
			ended = true // the steps of an abandoned saga stay as they are
		}
		switch {
		case !held[id.String()]:
			return fmt.Sprintf("command %s is withdrawn, but may have been sent", id)
		case !ended:
			return fmt.Sprintf("command %s is withdrawn, and its step is %s", id, s.Status)
		}
	}
	return stillHeld(e, held)
}

// stillHeld: a saga that goes back for good awaits no command that it knows was never sent.
func stillHeld(e edge, held map[string]bool) string {
	in := &e.decision.Next
	if e.decision.Refused != nil || in.Phase != saga.PhaseBackward || in.Rewind != nil || in.ReopenedFrom != "" || in.PausedByOperator {
		return ""
	}
	for i := range in.Steps {
		if id, out := in.CommandOut(i); out && id.Direction == saga.Execute && held[id.String()] {
			return fmt.Sprintf("the saga goes back, and awaits %s, which was never sent", id)
		}
	}
	return ""
}
