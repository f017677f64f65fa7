package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Attention counts the sagas that need attention, by definition and reason.
func (s *Store) Attention(context.Context) (counts []record.AttentionCount, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sagas := make(map[record.AttentionCount]int64)
	for _, id := range s.tables.ids {
		if in := s.tables.sagas[id].Instance; in.Attention != nil {
			sagas[record.AttentionCount{Definition: in.Definition, Reason: in.Attention.Reason}]++
		}
	}
	for count, number := range sagas {
		count.Sagas = number
		counts = append(counts, count)
	}
	slices.SortFunc(counts, func(a, b record.AttentionCount) int {
		return cmp.Or(cmp.Compare(a.Definition, b.Definition), cmp.Compare(a.Reason, b.Reason))
	})
	return counts, nil
}

// Groups groups the sagas of the scope that need attention by reason, step and error, largest group first. An empty
// definition selects all.
func (s *Store) Groups(_ context.Context, scope record.Scope, definition string) (found record.Groups, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	groups := make(map[record.Group]*record.Group) // by what its sagas have in common
	for _, id := range s.tables.ids {
		row := s.tables.sagas[id]
		in := &row.Instance
		if in.Attention == nil || definition != "" && in.Definition != definition || !scope.Covers(in.Definition) {
			continue
		}
		found.Sagas++
		common := record.Group{
			Definition: in.Definition, Reason: in.Attention.Reason, Step: in.Attention.Step, ErrorCode: attentionCode(in),
		}
		g := groups[common]
		if g == nil {
			g = new(common)
			g.Example, g.Oldest = in.ID, in.Attention.Since
			groups[common] = g
		}
		g.Sagas++
		if in.Attention.Since.Before(g.Oldest) {
			g.Oldest = in.Attention.Since
		}
		if in.Attention.Since.After(g.Newest) {
			g.Newest = in.Attention.Since
		}
	}
	for _, g := range groups {
		found.Groups = append(found.Groups, *g)
	}
	slices.SortFunc(found.Groups, func(a, b record.Group) int {
		return cmp.Or(cmp.Compare(b.Sagas, a.Sagas), cmp.Compare(a.Definition, b.Definition),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Step, b.Step), cmp.Compare(a.ErrorCode, b.ErrorCode))
	})
	found.Groups = found.Groups[:min(len(found.Groups), record.MaxGroups)]
	return found, nil
}

// attentionCode returns the error code of the step that needs attention, or "".
func attentionCode(in *saga.Instance) string {
	for i := range in.Steps {
		if in.Attention != nil && in.Steps[i].Name == in.Attention.Step && in.Steps[i].Error != nil {
			return in.Steps[i].Error.Code
		}
	}
	return ""
}
