package memory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// clone shares nothing with the instance.
func clone(in saga.Instance) saga.Instance {
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

// kept is the instance as it comes out of a database: times in microseconds, outputs without white space.
func kept(in saga.Instance) (sagaRow, error) {
	in = clone(in)
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
			return sagaRow{}, fmt.Errorf("encode the output of step %s of saga %s: %w", in.Steps[i].Name, in.ID, err)
		}
		in.Steps[i].Output = compact.Bytes()
	}
	return sagaRow{in}, nil
}

func cloneCommand(c wire.Command) wire.Command {
	c.Body = slices.Clone(c.Body)
	return c
}
