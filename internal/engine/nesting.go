package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// checkChildren checks the definitions of the children of a definition: that they exist, are not nested too deep or in a
// circle, and can be compensated where that may be needed. Errors: saga.Faults, *record.ChildHasPivotError.
func (e *Engine) checkChildren(ctx context.Context, def *saga.Definition) error {
	var faults, pivots saga.Faults
	for i := range def.Steps {
		step := &def.Steps[i]
		if step.Saga == "" {
			continue
		}
		pointer := "/steps/" + strconv.Itoa(i) + "/saga"
		child, message, err := e.nested(ctx, step.Saga, []string{def.Name})
		switch {
		case err != nil:
			return fmt.Errorf("check the children of definition %s: %w", def.Name, err)
		case message != "":
			faults = append(faults, saga.Fault{Pointer: pointer, Message: message})
		case step.Kind == saga.Compensatable && child.HasPivot():
			pivots = append(pivots, saga.Fault{Pointer: pointer, Message: "its sagas cannot be compensated: only a pivot or a retriable step may start them"})
		}
	}
	switch {
	case len(faults) > 0:
		return append(faults, pivots...)
	case len(pivots) > 0:
		return &record.ChildHasPivotError{Faults: pivots}
	default:
		return nil
	}
}

// nested returns the latest version of a child's definition, or what is wrong with it below that path of definitions.
func (e *Engine) nested(ctx context.Context, name string, path []string) (def *saga.Definition, message string, err error) {
	switch {
	case slices.Contains(path, name):
		return nil, "makes a circle: a saga would start itself", nil
	case len(path) == saga.MaxLevels:
		return nil, fmt.Sprintf("sagas are nested at most %d levels deep", saga.MaxLevels), nil
	}
	def, err = e.definitions.look(ctx, name)
	switch {
	case errors.Is(err, record.ErrDefinitionNotFound):
		return nil, fmt.Sprintf("definition %s does not exist", name), nil
	case errors.Is(err, record.ErrUnreadable):
		return nil, fmt.Sprintf("definition %s cannot be read", name), nil
	case err != nil:
		return nil, "", err
	}
	for i := range def.Steps {
		if below := def.Steps[i].Saga; below != "" {
			if _, message, err := e.nested(ctx, below, append(slices.Clone(path), name)); message != "" || err != nil {
				return def, message, err
			}
		}
	}
	return def, "", nil
}

// checkStart refuses to start a saga whose children could not be compensated, by their latest definitions.
func (e *Engine) checkStart(ctx context.Context, def *saga.Definition) error {
	var pivots saga.Faults
	for i := range def.Steps {
		step := &def.Steps[i]
		if step.Saga == "" || step.Kind != saga.Compensatable {
			continue
		}
		child, err := e.definitions.look(ctx, step.Saga)
		if err == nil && child.HasPivot() {
			pivots = append(pivots, saga.Fault{
				Pointer: "/steps/" + strconv.Itoa(i) + "/saga", Message: fmt.Sprintf("version %d of definition %s has a pivot", child.Version, child.Name),
			})
		}
	}
	if len(pivots) > 0 {
		return &record.ChildHasPivotError{Faults: pivots}
	}
	return nil
}
