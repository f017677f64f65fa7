package engine

import (
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// mayWithdraw reports whether a wake should look into the outbox at once: the saga has just turned back, and settings of a
// queue may hold back commands that it awaits. Only wakes and actions read the outbox, so a failure beside a command does
// not see it.
func (e *Engine) mayWithdraw(b *batchState, s *sagaState) bool {
	before := b.loaded.Instances[s.instance.ID]
	if !s.changed || !turningBack(&s.instance) || turningBack(&before) && before.Phase == s.instance.Phase {
		return false
	}
	var out []wire.Command
	for i := range s.instance.Steps {
		if id, is := s.instance.CommandOut(i); is && id.Direction == saga.Execute {
			_, queue, _, _ := s.def.CommandFor(id.Step, id.Direction)
			out = append(out, wire.Command{ID: id, Queue: queue})
		}
	}
	e.config.Outbox.Hold(out)
	return slices.ContainsFunc(out, func(c wire.Command) bool { return c.Held })
}

// turningBack reports whether the saga goes back, or will once the outcome of its pivot is known.
func turningBack(in *saga.Instance) bool { return in.Phase == saga.PhaseBackward || in.TurnBack != nil }
