package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Would describes what an action would do to a saga at that time, or why it would be refused. It calls the core, so the
// description matches what the action does in the same state.
func Would(def *saga.Definition, in saga.Instance, cause saga.Cause, now time.Time) (would, refused string) {
	if now.Before(in.UpdatedAt) {
		now = in.UpdatedAt
	}
	decision, err := def.Transition(in, saga.Event{At: now, Cause: cause})
	switch {
	case err != nil:
		return WouldUnread(&in, cause, "nothing can be decided on the saga")
	case decision.Refused != nil:
		return "", decision.Refused.Message
	case !decision.Changed:
		return "", decision.Ignored
	}
	var parts []string
	for _, entry := range decision.Entries {
		switch entry.Type {
		case saga.EntryStepSkipped:
			what := "step " + entry.Step
			if compensationFailed(in, entry.Step) {
				what = "the compensation of " + what
			}
			parts = append(parts, "count "+what+" as done"+declared(in, entry.Step))
		case saga.EntryCancelRequested:
			if entry.Step != "" {
				parts = append(parts, "declare that the pivot, step "+entry.Step+", did not take effect")
			}
		case saga.EntryDataPatched:
			parts = append(parts, "change the data")
		case saga.EntryRewinding:
			parts = append(parts, "compensate back to step "+entry.Step+" and run again from it")
		case saga.EntryRewindRequested:
			parts = append(parts, "rewind to step "+entry.Step+" if the pivot fails")
		case saga.EntryAcknowledged:
			parts = append(parts, "clear the late effect")
		}
	}
	for _, command := range decision.Commands {
		parts = append(parts, fmt.Sprintf("send %s to queue %s (step %s, attempt %d)",
			command.Name, command.Queue, command.ID.Step, command.ID.Attempt))
	}
	if after := decision.Next.Status; after != in.Status {
		parts = append(parts, fmt.Sprintf("take the saga from %s to %s", in.Status, after))
	} else {
		parts = append(parts, fmt.Sprintf("leave the saga %s", after))
	}
	parts = slices.Compact(parts)
	if len(parts) == 1 {
		return parts[0], ""
	}
	return strings.Join(parts[:len(parts)-1], ", ") + ", and " + parts[len(parts)-1], ""
}

// declared says what an operator declares by skipping a step.
func declared(in saga.Instance, step string) string {
	if a := in.Attention; a != nil && a.Reason == saga.PivotUnknown && a.Step == step {
		return ", which declares that it took effect"
	}
	return ""
}

func compensationFailed(in saga.Instance, step string) bool {
	return slices.ContainsFunc(in.Steps, func(s saga.StepState) bool {
		return s.Name == step && s.Status == saga.StepCompensationFailed
	})
}
