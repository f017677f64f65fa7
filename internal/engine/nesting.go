package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func tooDeep() string { return fmt.Sprintf("sagas are nested at most %d levels deep", saga.MaxLevels) }

// checkChildren checks the definitions of the children of a definition: that they exist, are not nested too deep or in a
// circle, and can be compensated where that may be needed. Errors: saga.Faults, *record.ChildHasPivotError.
func (e *Engine) checkChildren(ctx context.Context, def *saga.Definition) error {
	var faults, pivots saga.Faults
	below := nesting{latest: e.latestOfChild, known: map[string]nested{def.Name: {fault: "makes a circle: a saga would start itself"}}}
	for i := range def.Steps {
		step := &def.Steps[i]
		if step.Saga == "" {
			continue
		}
		child, err := below.find(ctx, step.Saga)
		switch {
		case err != nil:
			return fmt.Errorf("check the children of definition %s: %w", def.Name, err)
		case child.fault != "":
			faults = append(faults, saga.Fault{Pointer: childPointer(i), Message: child.fault})
		case child.levels >= saga.MaxLevels:
			faults = append(faults, saga.Fault{Pointer: childPointer(i), Message: tooDeep()})
		case step.Kind == saga.Compensatable && child.pivot:
			pivots = append(pivots, saga.Fault{Pointer: childPointer(i), Message: "its sagas cannot be compensated: only a pivot or a retriable step may start them"})
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

func childPointer(step int) string { return "/steps/" + strconv.Itoa(step) + "/saga" }

// nesting looks at each definition below another one once, however many steps start its sagas.
type nesting struct {
	latest func(ctx context.Context, name string) (*saga.Definition, error)
	known  map[string]nested
}

// nested is what a definition is to those above it.
type nested struct {
	levels int    // of sagas from this one down
	pivot  bool   // its sagas cannot be compensated
	fault  string // empty: none
}

// find looks at the latest version of a definition and at those below it.
func (n nesting) find(ctx context.Context, name string) (found nested, err error) {
	if known, is := n.known[name]; is {
		return known, nil
	}
	def, err := n.latest(ctx, name)
	if err != nil {
		return nested{}, err
	}
	if def == nil {
		n.known[name] = nested{fault: fmt.Sprintf("definition %s does not exist, or cannot be read", name)}
		return n.known[name], nil
	}
	n.known[name] = nested{fault: "makes a circle: a saga would start itself"} // for those below it
	found = nested{levels: 1, pivot: def.HasPivot()}
	for i := range def.Steps {
		if def.Steps[i].Saga == "" || found.fault != "" {
			continue
		}
		below, err := n.find(ctx, def.Steps[i].Saga)
		if err != nil {
			return nested{}, err
		}
		found.levels, found.fault = max(found.levels, below.levels+1), below.fault
	}
	n.known[name] = found
	return found, nil
}

// latestOfChild returns the latest version of a definition; nil if it does not exist or cannot be read.
func (e *Engine) latestOfChild(ctx context.Context, name string) (*saga.Definition, error) {
	latest, err := e.definitions.look(ctx, name)
	if errors.Is(err, record.ErrDefinitionNotFound) || errors.Is(err, record.ErrUnreadable) {
		return nil, nil //nolint:nilnil // see above
	}
	return latest, err
}

// refusesStart returns a *record.ChildHasPivotError as the refusal of a saga whose children could not be compensated, by their
// latest definitions. A child that does not exist any more fails its step later.
func (e *Engine) refusesStart(ctx context.Context, def *saga.Definition) (refusal, err error) {
	var pivots saga.Faults
	for i := range def.Steps {
		step := &def.Steps[i]
		if step.Saga == "" || step.Kind != saga.Compensatable {
			continue
		}
		child, err := e.latestOfChild(ctx, step.Saga)
		if err != nil {
			return nil, err
		}
		if child != nil && child.HasPivot() {
			pivots = append(pivots, saga.Fault{
				Pointer: childPointer(i), Message: fmt.Sprintf("version %d of definition %s has a pivot", child.Version, child.Name),
			})
		}
	}
	if len(pivots) > 0 {
		return &record.ChildHasPivotError{Faults: pivots}, nil
	}
	return nil, nil
}
