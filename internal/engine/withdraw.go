package engine

import (
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// mayWithdraw reports whether a wake should look into the outbox at once, because settings of a queue may hold back a command
// that the saga takes back: it has just turned back, or no longer awaits the command although nothing answered it. Only wakes
// and actions read the outbox; a reply does not see it.
func (e *Engine) mayWithdraw(answered map[saga.CommandID]bool, s *sagaState) bool {
	before := s.before
	if before == nil || !s.changed {
		return false
	}
	turned := turningBack(&s.instance) != direction{} && turningBack(&s.instance) != turningBack(before)
	var held []wire.Command
	for i := range before.Steps {
		was, wasOut := before.CommandOut(i)
		is, isOut := s.instance.CommandOut(i)
		if wasOut && (!isOut || is != was || s.instance.Status.Terminal()) && !answered[was] {
			held = e.appendHeld(held, s.def, was)
		}
		if turned && isOut && is.Direction == saga.Execute {
			held = e.appendHeld(held, s.def, is)
		}
	}
	return len(held) > 0
}

// appendHeld appends a command if the settings of its queue hold it back.
func (e *Engine) appendHeld(held []wire.Command, def *saga.Definition, id saga.CommandID) []wire.Command {
	_, queue, _, _ := def.CommandFor(id.Step, id.Direction)
	command := []wire.Command{{ID: id, Queue: queue}}
	if e.config.Outbox.Hold(command); command[0].Held {
		return append(held, command[0])
	}
	return held
}

// answered returns the commands of which the requests say how they ended.
func answered(requests []*request) map[saga.CommandID]bool {
	ended := make(map[saga.CommandID]bool, len(requests))
	for _, r := range requests {
		switch cause := r.cause.(type) {
		case saga.Reply:
			ended[cause.Command] = true
		case saga.Lost:
			ended[cause.Command] = true
		}
	}
	return ended
}

// direction is the way in which a saga goes back; zero: it goes forward.
type direction struct{ backward, pivotAwaited, rewinding bool }

func turningBack(in *saga.Instance) direction {
	return direction{in.Phase == saga.PhaseBackward, in.TurnBack != nil, in.Rewind != nil}
}
