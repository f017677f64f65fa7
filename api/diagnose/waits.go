package diagnose

import (
	"fmt"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// wait explains a saga whose step is there to wait. If several wait, a child that will not report is the cause, else the wait
// that ends first; a wait without an end comes last.
func (e Evidence) wait() (finding, bool) {
	first := noStep
	for i := range e.Instance.Steps {
		if e.Instance.Steps[i].Waiting == saga.NoWait {
			continue
		}
		if first == noStep || e.waitsBefore(i, first) {
			first = i
		}
	}
	if first == noStep {
		return finding{}, false
	}
	step := &e.Instance.Steps[first]
	found := finding{cause: resource.CauseWaitingForDelay, step: first, since: step.StartedAt, next: e.waitEnds(first)}
	switch step.Waiting {
	case saga.WaitForChild:
		found.cause = resource.CauseWaitingForChild
		found.message = fmt.Sprintf("Step %s waits for its child saga %s. See why that one is not further.", step.Name, step.Child())
		if _, lost := e.lost(first); lost {
			found.message = e.lostMessage(first)
		} else if row, asks := e.messageOf(first); asks {
			found.message = askedMessage(step.Name, step.Child(), row)
		}
	case saga.WaitForSignal:
		found.cause, found.message = resource.CauseWaitingForSignal, signalMessage(e.Instance.ID, &e.Definition.Steps[first])
	default:
		found.message = fmt.Sprintf("Step %s waits until %s. Nothing needs to be done.", step.Name, step.DeadlineAt.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	return found, true
}

// waitsBefore reports whether the wait of step i matters more than that of step j.
func (e Evidence) waitsBefore(i, j int) bool {
	_, lost := e.lost(i)
	if _, other := e.lost(j); lost != other {
		return lost
	}
	if endless := e.endless(i); endless != e.endless(j) {
		return !endless
	}
	return e.Instance.Steps[i].DeadlineAt.Before(e.Instance.Steps[j].DeadlineAt)
}

func signalMessage(sagaID string, step *saga.Step) string {
	return fmt.Sprintf("Step %s waits for the signal %s. It goes on when the signal is given: "+
		"`orchestrator sagas signal %s %s`, or POST /v1/sagas/%s/signals/%s.", step.Name, step.Signal, sagaID, step.Signal, sagaID, step.Signal)
}

// endless reports whether the wait of a step has no end of its own.
func (e Evidence) endless(i int) bool {
	waiting := e.Instance.Steps[i].Waiting
	return waiting == saga.WaitForChild || waiting == saga.WaitForSignal && e.Definition.Steps[i].Timeout == 0
}

// waitEnds returns the end of a wait; nil if only a signal ends it.
func (e Evidence) waitEnds(i int) *resource.NextAutomatic {
	step := &e.Instance.Steps[i]
	_, lost := e.lost(i)
	switch {
	case lost:
		return automatic(step.DeadlineAt, "the saga looks at the child of step "+step.Name)
	case step.Waiting == saga.WaitForChild:
		return automatic(time.Time{}, "step "+step.Name+" goes on when its child saga ends")
	case e.endless(i):
		return nil
	case step.Waiting == saga.WaitForSignal:
		return automatic(step.DeadlineAt, "step "+step.Name+" fails with "+saga.CodeSignalTimeout)
	default:
		return automatic(step.DeadlineAt, "step "+step.Name+" succeeds")
	}
}

// messageOf returns the message of a step to another saga that has waited in the outbox for a while.
func (e Evidence) messageOf(step int) (record.OutboxRow, bool) {
	for id, row := range e.Outbox {
		ofStep := strings.HasPrefix(id, e.Instance.ID+"/"+e.Instance.Steps[step].Name+"/")
		if ofStep && row.Queue == wire.BetweenSagas && e.Now.Sub(row.CreatedAt) > publishAllowance {
			return row, true
		}
	}
	return record.OutboxRow{}, false
}

// askedMessage explains a step whose message to its child saga is not delivered.
func askedMessage(step, child string, row record.OutboxRow) string {
	text := fmt.Sprintf("Step %s waits for its child saga %s, but the message to it is in the outbox since %s. It is tried again and again.",
		step, child, row.CreatedAt.UTC().Format("15:04:05 MST"))
	if row.Reason != "" {
		return text + " The last try: " + oneLine(row.Reason) + "."
	}
	return text + " If conditions or schemas of the child's definition take long, it waits for its turn behind others."
}
