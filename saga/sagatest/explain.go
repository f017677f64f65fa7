package sagatest

import (
	"fmt"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// historyPage is how many entries are read at a time.
const historyPage = 1000

// history returns the entries of the saga.
func (r *Run) history() (all []record.Entry) {
	r.test.t.Helper()
	page := record.Page{Limit: historyPage}
	for {
		entries, next, err := r.test.store.History(r.test.ctx, r.id, page)
		if err != nil {
			r.test.t.Fatalf("sagatest: %v", err)
		}
		if all = append(all, entries...); next == "" {
			return all
		}
		page.After = next
	}
}

// Explain returns the history of the saga with the times since its start, what it waits for, and its data.
func (r *Run) Explain() string {
	r.test.t.Helper()
	in := r.Saga()
	var text strings.Builder
	fmt.Fprintf(&text, "saga of %s, %s after %s:\n", in.Definition, in.Status, r.test.now.Sub(in.CreatedAt))
	for _, entry := range r.history() {
		fmt.Fprintf(&text, "  %10s  %s%s\n", entry.At.Sub(in.CreatedAt).Round(time.Millisecond), entry.Type, about(entry.Entry))
	}
	for i := range in.Steps {
		if what := waits(&in, &in.Steps[i]); what != "" {
			fmt.Fprintf(&text, "step %s %s\n", in.Steps[i].Name, what)
		}
	}
	if in.Attention != nil {
		fmt.Fprintf(&text, "an operator is needed: %s: %s\n", in.Attention.Reason, in.Attention.Message)
	}
	fmt.Fprintf(&text, "data: %s", in.Data)
	return text.String()
}

// about returns the details of an entry.
func about(entry saga.Entry) string {
	var text strings.Builder
	if entry.Step != "" {
		text.WriteString(" " + entry.Step)
	}
	if entry.Attempt > 0 {
		fmt.Fprintf(&text, ", attempt %d", entry.Attempt)
	}
	for _, name := range []string{"code", "message", "signal", "reason"} {
		if value, has := entry.Detail[name]; has && value != "" {
			fmt.Fprintf(&text, ", %s: %v", name, value)
		}
	}
	return text.String()
}

// waits returns what a step waits for; empty: nothing.
func waits(in *saga.Instance, s *saga.StepState) string {
	since := func(at time.Time) string { return at.Sub(in.CreatedAt).Round(time.Millisecond).String() }
	until := ""
	if !s.DeadlineAt.IsZero() {
		until = " until " + since(s.DeadlineAt)
	}
	switch {
	case s.Waiting == saga.WaitForSignal:
		return "waits for its signal" + until
	case s.Waiting == saga.WaitForChild:
		return "waits for its saga"
	case s.Waiting != saga.NoWait:
		return "waits" + until
	case !s.NextAttemptAt.IsZero():
		return "is tried again at " + since(s.NextAttemptAt)
	case s.Status == saga.StepRunning, s.Status == saga.StepCompensating:
		return "waits for a reply" + until
	default:
		return ""
	}
}
