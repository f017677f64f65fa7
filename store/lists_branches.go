package store

import (
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// indexed returns the branches of the filter, each a range of an index in the order of the id. Statuses and reasons are
// constants, so that the planner can choose partial indexes.
func (l *sagaList) indexed(filter record.Filter) (branches [][]string) {
	switch {
	case filter.Parent != nil:
		l.exact = false
		return [][]string{{"s.id in (select c.saga_id from children c where c.parent = " + l.argument(*filter.Parent) + ")"}}
	case filter.Key != nil && *filter.Key != "":
		l.exact = l.exact && filter.Definition == nil && filter.Statuses == nil && !filter.OfAttention()
		return [][]string{{"s.key = " + l.argument(*filter.Key), "s.key <> ''"}}
	case filter.OfAttention():
		l.exact = l.exact && filter.Definition == nil && filter.Statuses == nil && filter.Key == nil &&
			filter.Step == nil && filter.ErrorCode == nil
		return attentionBranches(filter)
	case filter.Definition != nil:
		l.exact = l.exact && filter.Statuses == nil && filter.Key == nil
		return definitionBranches(l.argument(*filter.Definition), filter.Statuses)
	case filter.Scope != nil:
		for _, definition := range filter.Scope {
			branches = append(branches, definitionBranches(l.argument(definition), filter.Statuses)...)
		}
		return branches
	case filter.Statuses != nil:
		l.exact = l.exact && filter.Key == nil
		return statusBranches(filter.Statuses)
	default:
		l.exact = l.exact && filter.Key == nil
		return [][]string{{"true"}}
	}
}

func attentionBranches(filter record.Filter) (branches [][]string) {
	reasons := filter.AttentionReasons
	if reasons == nil {
		reasons = saga.AttentionReasons()
		branches = append(branches, []string{"s.attention_reason > 'invalid_output'"}) // reasons of newer versions
	}
	for _, reason := range reasons {
		if slices.Contains(saga.AttentionReasons(), reason) {
			branches = append(branches, []string{"s.attention_reason = '" + string(reason) + "'"})
		}
	}
	return branches
}

// definitionBranches takes the unfinished sagas together and the finished ones by status.
func definitionBranches(definition string, statuses []saga.Status) (branches [][]string) {
	mine := "s.definition = " + definition
	if statuses == nil || slices.ContainsFunc(statuses, func(s saga.Status) bool { return !s.Terminal() }) {
		branches = append(branches, []string{mine, "s.finished_at is null"})
	}
	for _, status := range saga.Statuses() {
		if status.Terminal() && (statuses == nil || slices.Contains(statuses, status)) {
			branches = append(branches, []string{mine, "s.status = '" + string(status) + "'", "s.finished_at is not null"})
		}
	}
	return branches
}

func statusBranches(statuses []saga.Status) (branches [][]string) {
	for _, status := range saga.Statuses() {
		if !slices.Contains(statuses, status) {
			continue
		}
		branch := []string{"s.status = '" + string(status) + "'"}
		if !status.Terminal() {
			branch = append(branch, "s.finished_at is null")
		}
		branches = append(branches, branch)
	}
	return branches
}
