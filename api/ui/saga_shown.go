package ui

import (
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// fillMembers shows as many members of the data as there is room for.
func (v *sagaView) fillMembers(members []member) {
	left := room{left: maxShownData}
	for i, m := range members {
		if left.left < 2*rowSize {
			v.Left, left.cut = len(members)-i, true
			break
		}
		left.left -= rowSize
		m.Name, m.Shown = left.text(m.Name, 400), left.json(m.Value)
		v.Members = append(v.Members, m)
	}
	v.Cut = v.Cut || left.cut
}

// Entries is the number of entries that were read.
func (v sagaView) Entries() int { return v.Earlier + len(v.History) }

// fillHistory shows the newest entries.
func (v *sagaView) fillHistory(history []resource.HistoryEntry) {
	v.Earlier = max(0, len(history)-mostEntries)
	left := room{left: maxShownHistory}
	for _, entry := range history[v.Earlier:] {
		shown := entryView{HistoryEntry: entry, After: took(v.Saga.CreatedAt, entry.At), Detail: left.text(cut(detailOf(entry), 300), maxShown)}
		v.History = append(v.History, shown)
	}
}

// changes shows as much of the changes of a step as there is room for.
func (r *room) changes(all []change) (shown []change) {
	for _, c := range all {
		if r.left < 200 {
			r.cut = true
			break
		}
		c.Name = r.text(c.Name, maxShown)
		c.Shown, c.ShownBefore = r.json(c.Value), r.json(c.Before)
		shown = append(shown, c)
	}
	return shown
}

// detailed returns the steps whose details are shown: the one that was asked for, the one that needs attention, those in
// which something happens or went wrong, then the first ones.
func detailed(steps []resource.SagaStep, attention, chosen string) map[string]bool {
	shown := make(map[string]bool)
	add := func(matters func(resource.SagaStep) bool) {
		for _, step := range steps {
			if len(shown) < mostDetailed && matters(step) {
				shown[step.Name] = true
			}
		}
	}
	add(func(s resource.SagaStep) bool { return s.Name == attention || s.Name == chosen })
	add(func(s resource.SagaStep) bool {
		return s.Status != saga.StepPending && s.Status != saga.StepSucceeded && s.Status != saga.StepCompensated && s.Status != saga.StepSkipped
	})
	add(func(resource.SagaStep) bool { return true })
	return shown
}
