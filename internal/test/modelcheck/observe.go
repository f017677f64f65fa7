package modelcheck

import "github.com/saga-orchestrator/orchestrator/saga"

// observe takes down which changes of status there are, and what brings them about: that is the state diagram.
func (w *walk) observe(before, after *saga.Instance, m Move) {
	by := m.reason()
	if before.Status != after.Status {
		w.note(Change{From: string(before.Status), To: string(after.Status), By: by}, w.walked.Statuses)
	}
	for i := range before.Steps {
		from, to := before.Steps[i].Status, after.Steps[i].Status
		if from != to {
			w.note(Change{From: string(from), To: string(to), By: by}, w.walked.Steps)
		}
	}
}

func (w *walk) note(c Change, in map[Change]bool) { in[c] = true }

// reason is a move in a word.
func (m Move) reason() string {
	switch m.What {
	case Acts:
		return string(m.Action)
	case FallsDue, FallsDueUnpublished:
		return "time"
	case Lost, UndoLost:
		return "lost"
	case Succeeds, UndoSucceeds, TooMuch:
		return "success"
	default:
		return "failure"
	}
}
