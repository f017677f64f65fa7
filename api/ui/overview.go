package ui

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// overviewView is the first view: what needs an operator, and how much is going on.
type overviewView struct {
	Groups  []groupView
	Total   int64 // sagas that need attention
	Counts  []statusCount
	Chart   chart
	Stats   resource.Stats
	Queues  []queueView // those in trouble
	Names   []string    // definitions
	Letters int64
	Empty   bool // not a single saga so far

	Counting, Looking bool // the counts of sagas, and those of queues, take too long for the first paint
}

type statusCount struct {
	Status saga.Status
	Sagas  int64
}

type groupView struct {
	resource.Group
	Query string // of the list, and of a bulk action
	Fix   []actionInfo
}

// overview shows the first view.
func (p *page) overview(w http.ResponseWriter, r *http.Request, who *viewer) error {
	var view overviewView
	counts := begin(r, func(r *http.Request) (resource.Stats, error) { return get[resource.Stats](p, r, nil, "v1", "stats") })
	waiting := begin(r, func(r *http.Request) (resource.List[queueState], error) {
		return get[resource.List[queueState]](p, r, nil, "v1", "queues")
	})
	groups, groupErr := get[resource.Groups](p, r, nil, "v1", "stuck")
	stats, counted, statsErr := counts.result(r)
	queues, looked, queueErr := waiting.result(r)
	if err := errors.Join(groupErr, statsErr, queueErr); err != nil {
		return err
	}
	view.Stats, view.Counting, view.Looking = stats, !counted, !looked
	view.Total, view.Letters = groups.Total, view.Stats.DeadLetters
	for _, group := range groups.Items {
		f := group.Filter
		view.Groups = append(view.Groups, groupView{
			Group: group, Query: groupQuery(f.Definition, f.AttentionReason, f.Step, f.ErrorCode), Fix: usualActions(group.Reason),
		})
	}
	view.Counts = countsOf(view.Stats.Sagas)
	view.Chart = viewChart(view.Stats.Throughput.Minutes)
	for _, queue := range queues.Items {
		if shown := viewQueue(queue); len(shown.Trouble) > 0 || shown.Paused {
			view.Queues = append(view.Queues, shown)
		}
	}
	view.Names = slices.Sorted(maps.Keys(view.Stats.Sagas))
	view.Empty = counted && len(view.Names) == 0
	return p.show(w, r, who, "overview", screen{Title: "Overview", Tab: "overview", Body: view})
}

// countsOf adds up the counts of all definitions, in the order in which sagas go through their statuses.
func countsOf(sagas map[string]map[saga.Status]int64) []statusCount {
	counts := make([]statusCount, 0, 8)
	for _, status := range saga.Statuses() {
		sum := int64(0)
		for _, byStatus := range sagas {
			sum += byStatus[status]
		}
		counts = append(counts, statusCount{status, sum})
	}
	return counts
}

// usualActions returns the actions that most often help a group.
func usualActions(reason saga.AttentionReason) []actionInfo {
	names := []string{"retry", "patch_data", "skip"}
	switch reason {
	case saga.PivotUnknown:
		names = []string{"retry", "skip", "compensate"}
	case saga.LateEffect:
		names = []string{"acknowledge", "compensate"}
	case saga.DeadlineExceeded, saga.Overdue:
		names = []string{"pause", "abandon"}
	case saga.StepFailure:
		names = []string{"retry", "patch_data", "compensate"}
	}
	infos := make([]actionInfo, 0, len(names))
	for _, name := range names {
		if info, known := actionNamed(name); known {
			info.Main = info.Main && reason != saga.PivotUnknown // neither direction is known to be safe
			infos = append(infos, info)
		}
	}
	return infos
}
