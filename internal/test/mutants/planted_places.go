package main

// placeMutants returns defects by which an unreadable saga, or a broken command, holds a capped queue.
func placeMutants() []mutant {
	served := []layer{{"places of a server", []string{"./server", "-run", "FreesItsPlace"}}}
	stored := []layer{{"places", []string{"./store", "-run", "FreesItsPlace|APlaceDoesNotOutlive|DefinitionOfAnother|BrokenCommandsThat"}}}
	return []mutant{
		{
			"an unreadable saga that keeps its place when its worker answers", "store/write.go",
			"queueAnswered(b, w.changes.Answered)", "queueAnswered(b, nil)",
			served,
		},
		{
			"a rejected command of an unreadable saga that keeps its place", "internal/engine/undecidable.go",
			"if r.lost == nil || !b.mayStillBeInProgress(r, s) {", "if r.lost == nil {",
			served,
		},
		{
			"a place that outlives every timeout", "store/places.go",
			"interval '5 minutes' else 'infinity' end", "interval '5 years' else 'infinity' end",
			stored,
		},
		{
			"a command answered in vain that is still counted", "store/queues.go",
			"case when a.saga_id is null then true else", "case when true then true else",
			served,
		},
		{
			"a readiness that does not see a lost right", "store/sessions.go",
			"err = s.lackedRights(ctx, s.checkWritable(ctx))", "err = nil",
			[]layer{{"rights", []string{"./store", "-run", "ReadinessMeans"}}},
		},
		{
			"an answered command that takes a place of a new cap", "store/places.go",
			"d.command_id = w.id || '/' || w.command and", "d.command_id = w.command and",
			stored,
		},
		{
			"a row that has a place in another's queue", "store/places.go",
			"and s.step_names = coalesce(n.steps, s.step_names)", "and (true or s.step_names = coalesce(n.steps, s.step_names))",
			stored,
		},
		{
			"broken commands that are held back and tried one by one", "store/releasebroken.go",
			"_, broken := s.complete(ctx, page)", "_, broken := s.complete(ctx, page[:0])",
			stored,
		},
	}
}
