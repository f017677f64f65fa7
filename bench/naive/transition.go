package naive

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// Statuses of unfinished sagas and of steps.
const (
	running      = "running"
	compensating = "compensating"

	pending     = "pending"
	succeeded   = "succeeded"
	failed      = "failed"
	compensated = "compensated"
)

// reply is a worker's reply to one command.
type reply struct {
	Succeeded bool   `json:"succeeded"`
	Error     string `json:"error,omitempty"`
}

// move is one transition: the changes that a reply causes, and the next command, nil at the end of the saga.
type move struct {
	saga     string
	step     int
	from, to string // of the step
	status   string // of the saga
	next     *command
}

// command is a command to a worker.
type command struct {
	queue, name, id string
}

// execute and compensate return the commands of a step. A reply carries the id of its command.
func execute(saga string, step int) *command {
	s := system.Steps()[step]
	return &command{queue: s.Queue, name: s.Execute, id: fmt.Sprintf("%s/%d/execute", saga, step)}
}

func compensate(saga string, step int) *command {
	s := system.Steps()[step]
	return &command{queue: s.Queue, name: s.Compensate, id: fmt.Sprintf("%s/%d/compensate", saga, step)}
}

// onReply returns the transition for the reply to a command.
func onReply(id string, r reply) (move, error) {
	parts := strings.Split(id, "/")
	if len(parts) != 3 {
		return move{}, fmt.Errorf("a reply to %q, which is not a command", id)
	}
	step, err := strconv.Atoi(parts[1])
	if err != nil || step < 0 || step >= len(system.Steps()) {
		return move{}, fmt.Errorf("a reply to %q, which is not a command", id)
	}
	m := move{saga: parts[0], step: step, from: pending, to: succeeded, status: running}
	switch {
	case parts[2] == "compensate":
		m.from, m.to = succeeded, compensated
		return m.back(), nil
	case !r.Succeeded:
		m.to = failed
		return m.back(), nil
	case step == len(system.Steps())-1:
		m.status = string(system.Completed)
	default:
		m.next = execute(m.saga, step+1)
	}
	return m, nil
}

// back continues with the compensation of the previous step.
func (m move) back() move {
	if m.step == 0 {
		m.status = string(system.Compensated)
		return m
	}
	m.status, m.next = compensating, compensate(m.saga, m.step-1)
	return m
}
