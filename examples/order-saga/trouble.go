package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// trouble is what a person asks the services to suffer, to see what the orchestrator makes of it.
type trouble struct {
	decline bool                     // every card is declined
	slow    map[string]time.Duration // services that take their time
	down    map[string]bool          // services that refuse everything
	crash   map[string]bool          // services that die between their work and their answer
}

// before is suffered before a command is worked on.
func (t trouble) before(ctx context.Context, service string, cmd steps.Command[Order]) error {
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
	if t.decline && service == "payments" && cmd.Action == saga.Execute {
		return steps.Fail("card_declined", "every card is declined today")
	}
	return nil
}

// after is suffered once the work is done and nobody knows of it yet.
func (t trouble) after(service string) {
	if t.crash[service] {
		fmt.Fprintf(os.Stderr, "%s crashes before it can answer\n", service)
		os.Exit(3) //nolint:gocritic // a crash runs no deferred calls: that is the point
	}
}

// parseSlow reads "payments=2s,orders=1s".
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
