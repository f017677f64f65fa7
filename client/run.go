package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	// runPoll is how long one request of Run waits.
	runPoll = 30 * time.Second
	// maxRunBackoff bounds the pause between the attempts of Run to reach the orchestrator.
	maxRunBackoff = 5 * time.Second
)

// Failed means that a saga was compensated: nothing of it is in effect.
type Failed struct {
	Saga    resource.Saga
	Step    string // that failed; empty: the reason is not a step, such as a deadline or a cancel
	Code    string
	Message string
}

// Error names the step and its error.
func (f *Failed) Error() string {
	if f.Step == "" {
		return fmt.Sprintf("saga %s was compensated: %s: %s", f.Saga.ID, f.Code, f.Message)
	}
	return fmt.Sprintf("saga %s was compensated: step %s failed: %s: %s", f.Saga.ID, f.Step, f.Code, f.Message)
}

// Unresolved means that a saga is stuck, so that it needs an operator, or that an operator has abandoned it. Parts of it
// may be in effect.
type Unresolved struct {
	Saga    resource.Saga
	Reason  saga.AttentionReason // why it is stuck; empty: it was abandoned
	Step    string               // that needs attention, or that failed; empty: not a single step
	Message string
}

// Error names the step and the reason.
func (u *Unresolved) Error() string {
	what := "was abandoned"
	if u.Reason != "" {
		what = "needs an operator: " + string(u.Reason)
	}
	if u.Step != "" {
		what += " at step " + u.Step
	}
	if u.Message != "" {
		what += ": " + u.Message
	}
	return fmt.Sprintf("saga %s %s", u.Saga.ID, what)
}

// Run starts a saga and returns it when it has completed. Errors: *Failed if it was compensated; *Unresolved if it is stuck
// or was abandoned; a *Problem if the start was refused; that of ctx, with the saga as it was last seen. The saga goes on when
// ctx ends.
//
// Without an idempotency key Run makes one, so that a lost connection starts no second saga. To go on after a crash of the
// caller, set a key and call Run again. Once the saga is started, Run connects again until ctx ends. It waits for a paused
// saga, and for one that is scheduled. Wait in the request has no effect.
func (c *Client) Run(ctx context.Context, request StartRequest) (resource.Saga, error) {
	if request.IdempotencyKey == "" {
		request.IdempotencyKey = rand.Text()
	}
	request.Wait = 0
	now, err := c.Start(ctx, request)
	if err != nil {
		return now, err
	}
	pause := c.config.Backoff
	for !now.Status.Terminal() && now.Status != saga.Stuck {
		next, err := c.Wait(ctx, now.ID, now.Revision, runPoll)
		switch {
		case err == nil:
			now, pause = next, c.config.Backoff
		case ctx.Err() != nil || lasting(err) || !wait.For(ctx, pause):
			return now, fmt.Errorf("wait for saga %s: %w", now.ID, err)
		default:
			pause = min(2*pause, maxRunBackoff)
		}
	}
	return now, outcome(now)
}

// lasting reports whether another attempt would get the same answer. A problem of a proxy passes.
func lasting(err error) bool {
	problem, answered := errors.AsType[*Problem](err)
	return answered && problem.Status < http.StatusInternalServerError && problem.Status != http.StatusTooManyRequests
}

// outcome returns the error of a saga that has ended or is stuck; nil: it has completed.
func outcome(end resource.Saga) error {
	switch end.Status {
	case saga.Completed:
		return nil
	case saga.Compensated:
		failed := &Failed{Saga: end}
		if end.Failure != nil {
			failed.Step, failed.Code, failed.Message = string(end.Failure.Step), end.Failure.Code, end.Failure.Message
		}
		return failed
	default:
		unresolved := &Unresolved{Saga: end}
		switch {
		case end.Status == saga.Stuck && end.Attention != nil:
			unresolved.Reason, unresolved.Step, unresolved.Message = end.Attention.Reason, string(end.Attention.Step), end.Attention.Message
		case end.Failure != nil:
			unresolved.Step, unresolved.Message = string(end.Failure.Step), end.Failure.Message
		}
		return unresolved
	}
}
