package sim

import (
	"context"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// withdrawn records a command that the saga takes back.
func (e *evidence) withdrawn(id saga.CommandID) {
	e.sim.count(withdrawn)
	d := e.known[id.Saga]
	command := d.commands[id.String()]
	if !command.at.IsZero() {
		e.violate(d.id, "only what was never sent is withdrawn", id.String())
	}
	command.gone = true
	d.commands[id.String()] = command
}

// released checks what leaves by the settings of a queue: nothing during a pause, and under a cap no more execute commands
// than it allows, together with those that left under a cap before and are still awaited.
func (e *evidence) released(queue string, commands []wire.Command) {
	controls, err := e.sim.store.QueueControls(context.Background())
	if err != nil {
		panic(err) // the store in memory does not fail
	}
	for _, control := range controls {
		if control.Queue != queue {
			continue
		}
		if control.Paused && len(commands) > 0 {
			e.violate(commands[0].ID.Saga, "nothing leaves during a pause", commands[0].ID.String())
		}
		if control.MaxOut > 0 {
			e.underCap(queue, control.MaxOut, commands)
		}
	}
}

func (e *evidence) underCap(queue string, most int, commands []wire.Command) {
	if e.left[queue] == nil {
		e.left[queue] = make(map[string]saga.CommandID)
	}
	left, added := e.left[queue], false
	for i := range commands {
		id := commands[i].ID
		if _, again := left[id.String()]; id.Direction == saga.Execute && !again && e.awaits(id) {
			left[id.String()], added = id, true
			e.sim.count(released)
		}
	}
	out := 0
	for text, id := range left {
		if e.awaits(id) {
			out++
		} else {
			delete(left, text)
		}
	}
	if added && out > most {
		e.violate(commands[0].ID.Saga, "a cap holds over all replicas", fmt.Sprintf("%d commands of queue %s are out, %d allowed", out, queue, most))
	}
}

// awaits reports whether a saga waits for the reply to a command.
func (e *evidence) awaits(id saga.CommandID) bool {
	d := e.known[id.Saga]
	if d == nil || d.instance.Status.Terminal() {
		return false
	}
	for i := range d.instance.Steps {
		if out, is := d.instance.CommandOut(i); is && out == id {
			return true
		}
	}
	return false
}
