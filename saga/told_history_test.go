package saga_test

import "github.com/saga-orchestrator/orchestrator/saga"

// reader is somebody who has only a saga's history, and concludes from it how every step stands.
type reader struct {
	plan     *saga.Definition
	statuses []saga.StepStatus
	happened []bool          // the step's success was reported
	waiting  []bool          // the last attempt of its compensation has failed, and the next is not sent
	reopened map[string]bool // the steps for which the saga was opened again; the others count no more
}

// toldStatuses are the steps' states as their history tells them.
func toldStatuses(plan *saga.Definition, entries []saga.Entry) []saga.StepStatus {
	count := len(plan.Steps)
	r := &reader{
		plan: plan, statuses: make([]saga.StepStatus, count), happened: make([]bool, count), waiting: make([]bool, count),
		reopened: make(map[string]bool),
	}
	for i := range r.statuses {
		r.statuses[i] = saga.StepPending
	}
	for _, entry := range entries {
		switch entry.Type {
		case saga.EntryReopened:
			r.reopened[entry.Step] = true
		case saga.EntryAbandoned, saga.EntryCompensated:
			clear(r.reopened)
		}
		if entry.Step != "" {
			r.read(position(plan, entry.Step), entry.Type)
		}
	}
	return r.statuses
}

func (r *reader) read(i int, entry saga.EntryType) {
	before := r.statuses[i]
	switch entry {
	case saga.EntryStepAttemptFailed, saga.EntryStepTimedOut, saga.EntryStepLost, saga.EntryCompensationRetry:
		r.waiting[i] = before == saga.StepCompensating
		switch {
		case !r.waiting[i]:
			r.statuses[i] = saga.StepRetrying
		case r.turnHasPassed(i):
			r.owes(i)
		}
	case saga.EntryStepSucceeded:
		r.statuses[i], r.happened[i], r.waiting[i] = saga.StepSucceeded, true, false
		r.turnsPass(i)
	case saga.EntryReopened:
		r.statuses[i], r.happened[i], r.waiting[i] = saga.StepSucceeded, true, false
	case saga.EntryStepLateEffect:
		r.happened[i] = true
		if before == saga.StepRunning || before == saga.StepRetrying || before == saga.StepUnknown {
			r.statuses[i] = saga.StepSucceeded
		}
	case saga.EntryRetried:
		if before == saga.StepCompensationFailed {
			r.owes(i)
		}
	case saga.EntryStepDispatched:
		r.statuses[i] = saga.StepRunning
	case saga.EntryStepFailed, saga.EntryCancelRequested:
		r.statuses[i] = saga.StepFailed
	case saga.EntryStepUnknown:
		r.statuses[i] = saga.StepUnknown
	case saga.EntryStepSkipped:
		r.statuses[i] = saga.StepSkipped
	case saga.EntryCompensationSent:
		r.statuses[i], r.waiting[i] = saga.StepCompensating, false
	case saga.EntryStepCompensated:
		r.statuses[i] = saga.StepCompensated
	case saga.EntryCompensationExhausted:
		r.statuses[i] = saga.StepCompensationFailed
	}
}

// owes: the step is to be undone, and its compensation is not out.
func (r *reader) owes(i int) {
	r.statuses[i], r.waiting[i] = saga.StepUnknown, false
	if r.happened[i] {
		r.statuses[i] = saga.StepSucceeded
	}
}

// turnsPass: step i has to be undone once more, so what came before it and was about to be tried again has to wait.
func (r *reader) turnsPass(i int) {
	if r.plan.Steps[i].Compensation == "" {
		return
	}
	for earlier, waits := range r.waiting {
		if waits && r.statuses[earlier] == saga.StepCompensating && comesAfter(r.plan, i, earlier) {
			r.owes(earlier)
		}
	}
}

func (r *reader) turnHasPassed(i int) bool {
	for later, status := range r.statuses {
		owed := status == saga.StepSucceeded || status == saga.StepUnknown || status == saga.StepCompensating ||
			status == saga.StepCompensationFailed
		counts := len(r.reopened) == 0 || r.reopened[r.plan.Steps[later].Name]
		if owed && counts && r.plan.Steps[later].Compensation != "" && comesAfter(r.plan, later, i) {
			return true
		}
	}
	return false
}
