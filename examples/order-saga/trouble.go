package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// trouble is a set of faults that a user can inject into the services.
type trouble struct {
	decline bool                     // every card is declined
	slow    map[string]time.Duration // services that are slow
	down    map[string]bool          // services that refuse everything
	crash   map[string]bool          // services that crash between their work and their reply
}

// around returns a middleware that injects the faults of a service.
func (t trouble) around(service string) steps.Middleware {
	return func(
		ctx context.Context, command steps.Command[json.RawMessage], next func(context.Context) (json.RawMessage, error),
	) (json.RawMessage, error) {
		if err := t.before(ctx, service, command.Action); err != nil {
			return nil, err
		}
		output, err := next(ctx)
		if err == nil {
			t.after(service)
		}
		return output, err
	}
}

// before injects faults before a command is executed.
func (t trouble) before(ctx context.Context, service string, action saga.Direction) error {
	if wait := t.slow[service]; wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if t.down[service] {
		return steps.Retry("service_down", service+" is down")
	}
	if t.decline && service == "payments" && action == saga.Execute {
		return steps.Fail("card_declined", "every card is declined")
	}
	return nil
}

// after injects faults between the work and the reply.
func (t trouble) after(service string) {
	if t.crash[service] {
		fmt.Fprintf(os.Stderr, "%s crashes before it replies\n", service)
		os.Exit(3) //nolint:gocritic // a crash must not run deferred calls
	}
}

// parseSlow parses "payments=2s,orders=1s".
func parseSlow(text string) (map[string]time.Duration, error) {
	slow := make(map[string]time.Duration)
	for _, part := range listOf(text) {
		name, wait, found := strings.Cut(part, "=")
		duration, err := time.ParseDuration(wait)
		if !found || err != nil {
			return nil, fmt.Errorf("--slow %q: want SERVICE=DURATION, such as payments=2s", part)
		}
		slow[name] = duration
	}
	return slow, nil
}

func setOf(text string) map[string]bool {
	set := make(map[string]bool)
	for _, name := range listOf(text) {
		set[name] = true
	}
	return set
}

func listOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
