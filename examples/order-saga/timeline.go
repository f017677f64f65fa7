package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// timeline prints a saga's history as it happens, one line per entry.
type timeline struct {
	out   io.Writer
	began time.Time // time of the first entry
	shown int64     // seq of the last entry shown
}

func newTimeline(out io.Writer) *timeline { return &timeline{out: out} }

func (l *timeline) title(number, text string) { fmt.Fprintf(l.out, "\n%s. %s\n", number, text) }

func (l *timeline) say(format string, arguments ...any) {
	fmt.Fprintf(l.out, "           » "+format+"\n", arguments...)
}

// until prints the history until the saga has the wanted status. It returns an error if the saga ends with another one.
func (l *timeline) until(ctx context.Context, orchestrator *client.Client, id string, wanted saga.Status) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	since := int64(0)
	for {
		now, err := orchestrator.Wait(ctx, id, since, patience)
		if err != nil {
			return fmt.Errorf("wait for saga %s to be %s: %w", id, wanted, err)
		}
		if err := l.entries(ctx, orchestrator, id); err != nil {
			return err
		}
		if now.Status == wanted {
			return nil
		}
		if now.Status.Terminal() {
			return fmt.Errorf("saga %s is %s, not %s", id, now.Status, wanted)
		}
		since = now.Revision
	}
}

// entries prints the new entries of the history.
func (l *timeline) entries(ctx context.Context, orchestrator *client.Client, id string) error {
	entries, err := orchestrator.History(ctx, id)
	if err != nil {
		return fmt.Errorf("read the history of saga %s: %w", id, err)
	}
	for _, entry := range entries {
		if entry.Seq <= l.shown {
			continue
		}
		if l.shown == 0 {
			l.began = entry.At.Time
		}
		l.shown = entry.Seq
		if mark, text := describe(entry); text != "" {
			fmt.Fprintf(l.out, "  %5d ms %s %s\n", entry.At.Sub(l.began).Milliseconds(), mark, text)
		}
	}
	return nil
}

// describe returns the text of an entry, or "" for an entry that the next one repeats.
func describe(entry resource.HistoryEntry) (mark, text string) {
	detail := func(name string) any { return entry.Detail[name] }
	switch entry.Type {
	case saga.EntryStarted:
		return "●", "the saga starts"
	case saga.EntryStepDispatched:
		return "→", fmt.Sprintf("%-18s command sent (attempt %d)", entry.Step, entry.Attempt)
	case saga.EntryStepSucceeded:
		return "✓", fmt.Sprintf("%-18s done", entry.Step)
	case saga.EntryStepAttemptFailed:
		return "✗", fmt.Sprintf("%-18s %v: %v", entry.Step, detail("code"), detail("message"))
	case saga.EntryStepTimedOut:
		return "?", fmt.Sprintf("%-18s no reply in time", entry.Step)
	case saga.EntryCompensating:
		return "↩", "the saga compensates"
	case saga.EntryCompensationSent:
		return "←", fmt.Sprintf("%-18s compensation sent (attempt %d)", entry.Step, entry.Attempt)
	case saga.EntryStepCompensated:
		return "✓", fmt.Sprintf("%-18s compensated", entry.Step)
	case saga.EntryStuck:
		return "!", fmt.Sprintf("the saga is stuck: %v", detail("message"))
	case saga.EntryDataPatched:
		return "✎", fmt.Sprintf("%s patches the data: %v", entry.Actor, detail("reason"))
	case saga.EntryRetried:
		return "✎", fmt.Sprintf("%s retries %s: %v", entry.Actor, entry.Step, detail("reason"))
	case saga.EntryCompleted:
		return "■", "completed"
	case saga.EntryCompensated:
		return "■", "compensated"
	default:
		return "", ""
	}
}
