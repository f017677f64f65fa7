package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	// patience is how long a command that shows progress tries to reach the orchestrator again: it may restart.
	patience = 30 * time.Second
	// patientPause is the time between two of these attempts.
	patientPause = 500 * time.Millisecond
)

// patiently repeats a read until it succeeds, fails for good, or has failed for the limit; 0: patience.
func patiently(ctx context.Context, limit time.Duration, read func() error) error {
	for end := time.Now().Add(cmp.Or(limit, patience)); ; {
		err := read()
		if err == nil || !passing(err) || !time.Now().Before(end) || !wait.For(ctx, patientPause) {
			return err
		}
	}
}

// passing reports whether an error may be that of a restart: there was no connection, or what stands in front of the
// orchestrator, or the orchestrator itself, is unavailable.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if problem, answered := errors.AsType[*client.Problem](err); answered {
		switch problem.Status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	_, failed := errors.AsType[*url.Error](err)
	return failed
}
