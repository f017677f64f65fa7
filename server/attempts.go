package server

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Outcomes of attempts, as labels.
const (
	attemptSucceeded = "succeeded"
	attemptFailed    = "failed"
	attemptTimedOut  = "timed_out"
	attemptLost      = "lost" // the broker dead-lettered the command
)

// endedAttempt is an attempt whose end a history entry records.
type endedAttempt struct {
	action  saga.Direction
	outcome string
	// id and dispatched are known if the command was out before the transaction. Late replies answer earlier commands.
	known      bool
	id         saga.CommandID
	dispatched time.Time
}

// attemptOf returns the attempt that an entry ends. ended is false for other entries.
func attemptOf(d engine.Decided, entry *saga.Entry) (a endedAttempt, ended bool) {
	a.action = saga.Execute
	switch entry.Type {
	case saga.EntryStepSucceeded:
		a.outcome = attemptSucceeded
	case saga.EntryStepCompensated:
		a.action, a.outcome = saga.Compensate, attemptSucceeded
	case saga.EntryStepAttemptFailed:
		a.outcome = attemptFailed
	case saga.EntryCompensationRetry:
		a.action, a.outcome = saga.Compensate, attemptFailed
	case saga.EntryStepTimedOut:
		a.outcome = attemptTimedOut
	case saga.EntryStepLost:
		a.outcome = attemptLost
	default:
		return a, false
	}
	if entry.Detail["action"] == string(saga.Compensate) {
		a.action = saga.Compensate
	}
	a.find(d, entry)
	return a, true
}

// find finds the command of the attempt among those that were out before the transaction.
func (a *endedAttempt) find(d engine.Decided, entry *saga.Entry) {
	if d.Before == nil {
		return
	}
	for i := range d.Before.Steps {
		id, out := d.Before.CommandOut(i)
		if !out || id.Step != entry.Step || id.Direction != a.action || id.Attempt != entry.Attempt {
			continue
		}
		_, _, timeout, _ := d.Definition.CommandFor(id.Step, a.action)
		a.known, a.id, a.dispatched = true, id, d.Before.Steps[i].DeadlineAt.Add(-timeout)
		return
	}
}

// beganAt returns when a saga began to run.
func beganAt(in *saga.Instance) time.Time {
	if in.StartAt.After(in.CreatedAt) {
		return in.StartAt
	}
	return in.CreatedAt
}
