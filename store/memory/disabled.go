package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// SetDisabled disables or enables starts of a definition, and records the actor. It reports whether that is a change.
// Errors: record.ErrDefinitionNotFound.
func (s *Store) SetDisabled(ctx context.Context, definition string, disabled bool, _ string) (changed bool, err error) {
	err = s.write(ctx, func(w *writing) error {
		changed = w.tables.disabled[definition] != disabled
		action := map[bool]string{true: "definition.disable", false: "definition.enable"}[disabled]
		switch {
		case len(w.tables.definitions[definition]) == 0:
			return record.ErrDefinitionNotFound
		case disabled:
			w.put(bucketDisabled, definition, true, func() { w.tables.disabled[definition] = true })
		default:
			w.delete(bucketDisabled, definition, func() { delete(w.tables.disabled, definition) })
		}
		if !changed {
			return nil
		}
		return w.audited(ctx, s.now(), action, "definitions/"+definition, definition,
			map[string]bool{"disabled": !disabled}, map[string]bool{"disabled": disabled})
	})
	if err != nil {
		return false, fmt.Errorf("disable definition %s: %w", definition, err)
	}
	return changed, nil
}

// Disabled returns the names of the definitions that accept no starts, sorted.
func (s *Store) Disabled(context.Context) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.tables.disabled)), nil
}
