package store

import (
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// maxOffset keeps offsets within the range of time arithmetic.
const maxOffset = offset(200 * 365 * 24 * time.Hour / time.Microsecond)

// check refuses values that this program cannot handle, written by a newer program or by hand.
func (r *progressRow) check() error {
	phases := []saga.Phase{saga.PhaseScheduled, saga.PhaseForward, saga.PhaseBackward, saga.PhaseEnded}
	switch {
	case !slices.Contains(phases, r.Phase):
		return fmt.Errorf("unknown phase %q", r.Phase)
	case r.ReopenedFrom != "" && !slices.Contains(saga.Statuses(), r.ReopenedFrom):
		return fmt.Errorf("reopened from the unknown status %q", r.ReopenedFrom)
	case r.Entries < 1 || r.Entries > maxRevision:
		return fmt.Errorf("%d history entries", r.Entries)
	case !r.ProgressAt.inRange():
		return errOutOfRange
	}
	for i := range r.Steps {
		if err := r.Steps[i].check(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (r *stepRow) check() error {
	if r.Status != "" && !knownStepStatus(r.Status) {
		return fmt.Errorf("unknown status %q", r.Status)
	}
	if !slices.Contains(saga.Waits(), r.Waiting) {
		return fmt.Errorf("waits for the unknown %q", r.Waiting)
	}
	attempts := 0
	if r.Attempts != nil {
		attempts = *r.Attempts
	}
	for _, count := range []int{attempts, r.CompensationAttempts, r.Round, r.Rewinds, r.EarlierEffect, r.Compensating, r.AttemptsForgiven, r.CompensationForgiven} {
		if count < 0 {
			return fmt.Errorf("a count of %d", count)
		}
	}
	for _, at := range []*offset{r.StartedAt, r.FinishedAt, r.NextAttemptAt, r.DeadlineAt} {
		if !at.inRange() {
			return errOutOfRange
		}
	}
	return nil
}

func knownStepStatus(status saga.StepStatus) bool {
	switch status {
	case saga.StepPending, saga.StepRunning, saga.StepRetrying, saga.StepSucceeded, saga.StepFailed, saga.StepUnknown,
		saga.StepSkipped, saga.StepCompensating, saga.StepCompensated, saga.StepCompensationFailed:
		return true
	default:
		return false
	}
}

func (o *offset) inRange() bool { return o == nil || *o >= -maxOffset && *o <= maxOffset }
