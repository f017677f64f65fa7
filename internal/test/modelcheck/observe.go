package modelcheck

import "github.com/saga-orchestrator/orchestrator/saga"

// observe records the changes of statuses and their causes, for the state diagram.
func (w *search) observe(before, after *saga.Instance, m Move) {
	by := m.reason()
	if before.Status != after.Status {
		w.note(Change{From: string(before.Status), To: string(after.Status), By: by}, w.result.Statuses)
	}
	for i := range before.Steps {
		from, to := before.Steps[i].Status, after.Steps[i].Status
		if from != to {
			w.note(Change{From: string(from), To: string(to), By: by}, w.result.Steps)
		}
	}
}

func (w *search) note(c Change, in map[Change]bool) { in[c] = true }

// reason names the cause in one word.
func (m Move) reason() string {
	switch {
	case m.signals():
		return "signal"
	case m.reports():
		return "child"
	}
	switch m.What {
	case Unwinds:
		return "parent"
	case Acts:
		return string(m.Action)
	case FallsDue, FallsDueUnpublished:
		return "time"
	case Lost, CompensationLost:
		return "lost"
	case Succeeds, CompensationSucceeds, TooMuch:
		return "success"
	default:
		return "failure"
	}
}
