package diagnose

import (
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// wait explains a saga whose step is there to wait. If several wait, the one that ends first is the cause; a wait without
// an end comes last.
func (e Evidence) wait() (finding, bool) {
	first := noStep
	for i := range e.Instance.Steps {
		if e.Instance.Steps[i].Waiting == saga.NoWait {
			continue
		}
		if first == noStep || e.endless(first) && !e.endless(i) ||
			e.endless(first) == e.endless(i) && e.Instance.Steps[i].DeadlineAt.Before(e.Instance.Steps[first].DeadlineAt) {
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
	case saga.WaitForSignal:
		found.cause, found.message = resource.CauseWaitingForSignal, signalMessage(e.Instance.ID, &e.Definition.Steps[first])
	default:
		found.message = fmt.Sprintf("Step %s waits until %s. Nothing needs to be done.", step.Name, step.DeadlineAt.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	return found, true
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
	switch {
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
