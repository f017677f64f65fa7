package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Clone returns a copy that shares nothing with the instance.
func Clone(in saga.Instance) saga.Instance {
	in.Labels = maps.Clone(in.Labels)
	in.Data = slices.Clone(in.Data)
	in.Attention = copied(in.Attention)
	in.TurnBack = copied(in.TurnBack)
	in.Failure = copied(in.Failure)
	in.Steps = slices.Clone(in.Steps)
	for i := range in.Steps {
		step := &in.Steps[i]
		step.Output = slices.Clone(step.Output)
		step.Error = copied(step.Error)
	}
	return in
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	value := *p
	return &value
}

// Kept returns the instance as a store returns it, sharing nothing: times in microseconds, outputs without white space.
// Error: an output that is not valid JSON.
func Kept(in saga.Instance) (saga.Instance, error) {
	in = Clone(in)
	in.CreatedAt, in.UpdatedAt = micro(in.CreatedAt), micro(in.UpdatedAt)
	in.StartAt, in.DeadlineAt = micro(in.StartAt), micro(in.DeadlineAt)
	in.FinishedAt, in.WakeAt = micro(in.FinishedAt), micro(in.WakeAt)
	if in.Attention != nil {
		in.Attention.Since = micro(in.Attention.Since)
	}
	if len(in.Labels) == 0 {
		in.Labels = nil
	}
	for i := range in.Steps {
		if in.Steps[i].Output == nil {
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, in.Steps[i].Output); err != nil {
			return in, fmt.Errorf("encode the output of step %s of saga %s: %w", in.Steps[i].Name, in.ID, err)
		}
		in.Steps[i].Output = compact.Bytes()
	}
	return in, nil
}

// Abandoned returns an unfinished instance after the Abandonment by an action, with one more history entry.
func Abandoned(in saga.Instance, action string, now time.Time) saga.Instance {
	in = Clone(in)
	in.Status, in.Attention = saga.Abandoned, nil
	in.UpdatedAt, in.FinishedAt, in.ProgressAt, in.WakeAt = now, now, now, time.Time{}
	in.LastAction = action
	in.Revision++
	EndAbandoned(&in.Progress)
	return in
}

// EndAbandoned changes the progress of a saga as its Abandonment does. A store that could not read the progress left it as it was:
// it does this when it can read it again.
func EndAbandoned(p *saga.Progress) {
	p.Phase = saga.PhaseEnded
	p.Entries++
	p.PausedByOperator, p.TurnBack, p.ReopenedFrom, p.Overdue = false, nil, "", false
	for i := range p.Steps {
		p.Steps[i].Reopened = false
	}
}

// micro returns a time with the precision of a column.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
