package main

// costlyMutants returns defects by which the conditions and schemas of one definition delay the sagas of others.
func costlyMutants() []mutant {
	apart := []layer{{"costly lanes", []string{"./internal/engine", "-run", "Costly"}}}
	return []mutant{
		{
			"a costly definition that is not noticed", "internal/engine/costly.go",
			"if work >= costlyWork &&", "if work >= 1000*costlyWork &&",
			apart,
		},
		{
			"a batch that does not end after much work", "internal/engine/decide_event.go",
			"|| b.work > batchWork {", "{",
			apart,
		},
		{
			"costly events without a bound", "internal/engine/costly.go",
			"if !l.room.TryAcquire(l.weight(r)) {", "if false {",
			apart,
		},
		{
			"conditions that have no limit together", "saga/work.go",
			"if t.conditionWork > MaxConditionWork {", "if t.conditionWork > 1000*MaxConditionWork {",
			[]layer{{"rules", []string{"./saga", "-run", "HaveALimitTogether"}}},
		},
		{
			"schemas that have no limit together", "saga/work.go",
			"case s.work > MaxCompileWork:", "case s.work > 1000*MaxCompileWork:",
			[]layer{{"rules", []string{"./saga", "-run", "HaveALimitTogether"}}},
		},
		{
			"held commands that hide those that are out", "store/queues.go",
			"from outbox o where o.held_rank is not null) c", "from outbox o where o.held_rank < -1) c",
			[]layer{{"places", []string{"./store", "-run", "HideNoneThatAreOut"}}},
		},
		{
			"a damaged row of a history that is read to its end", "store/history.go",
			"broken > maxUnreadableEntries {", "broken < 0 {",
			[]layer{{"histories", []string{"./store", "-run", "RestOfARow"}}},
		},
		{
			"a reply that comes back to the replica that gave it back", "internal/rabbit/ranks.go",
			"return r != nil && givenBack && priority > lowestPriority", "return false",
			[]layer{{"ranks", []string{"./internal/rabbit", "-run", "GaveAMessageBack"}}},
		},
		{
			"a start that a trigger leaves out, acknowledged", "store/write.go",
			"written != int64(len(created)) {", "written > int64(len(created)) {",
			[]layer{{"readiness", []string{"./store", "-run", "AddedRules"}}},
		},
	}
}
