package main

// costlyStartMutants returns defects by which starts whose data takes long to check delay others, or never happen.
func costlyStartMutants() []mutant {
	apart := []layer{{"costly lanes", []string{"./internal/engine", "-run", "Costly"}}}
	return []mutant{
		{
			"costly checks that all run at once", "internal/engine/costly_starts.go",
			"checks: semaphore.NewWeighted(int64(max(1, runtime.NumCPU()/2)))", "checks: semaphore.NewWeighted(int64(runtime.NumCPU() * 1000))",
			apart,
		},
		{
			"starts of callers that keep out those that come again", "internal/engine/costly_starts.go",
			"room = e.costly.starts.others", "room = e.costly.starts.callers",
			apart,
		},
		{
			"a start by message that waits for its turn in its queue", "internal/engine/intake.go",
			"if e.config.QueueStart == nil {", "if e.config.QueueStart != nil {",
			apart,
		},
		{
			"a start from SQL that fails by waiting for its turn", "internal/operate/starts_costly.go",
			"c.returned(ctx, left, leastTurnPause)", "_ = left",
			[]layer{{"starts", []string{"./internal/operate", "-run", "WaitedForItsTurn"}}},
		},
	}
}
