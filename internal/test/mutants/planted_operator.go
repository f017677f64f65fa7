package main

func bulkRules() layer {
	return layer{"bulk rules", []string{"./store", "-run", "Suite/(bulk|groups|disabled)"}}
}

func carryingOut() layer { return layer{"operate", []string{"./internal/operate"}} }

// operatorMutants returns defects of what operators do with many sagas and with dead letters.
func operatorMutants() []mutant {
	core, stored, carried := []layer{modelCheck(), specifications()}, []layer{bulkRules()}, []layer{carryingOut()}
	return []mutant{
		{
			"a parked saga turns back", "saga/forward.go",
			"case t.def.OnFailure == Park:", "case t.def.OnFailure == Park && i < 0:", core,
		},
		{
			"a retry of a saga whose deadline turns it back", "saga/timer.go",
			"return t.deadlineReached() && t.def.mayTurnBack(&t.next)", "return false && t.def.mayTurnBack(&t.next)", core,
		},
		{
			"a redrive of an attempt that is over", "saga/redrive.go",
			"case !t.active(i) || !s.atWork(a.Command):", "case !t.active(i):",
			[]layer{specifications()},
		},
		{
			"a target of a bulk action decided twice", "store/bulkresults.go",
			"and i.target = n.target and i.outcome is null", "and i.target = n.target", stored,
		},
		{
			"a cancelled bulk action that goes on", "store/bulkresults.go",
			"and a.holder = n.holder and a.status = 'running'", "and a.holder = n.holder", stored,
		},
		{
			"a canary that is not exact", "internal/record/bulk.go",
			"allowed = min(allowed, a.Canary-decided)", "allowed = min(allowed, a.Canary+decided)", carried,
		},
		{
			"failures not counted before a stop", "internal/record/bulk.go",
			"allowed = min(allowed, a.StopAfter-a.faults())", "allowed = min(allowed, a.StopAfter)", carried,
		},
		{
			"a dead letter redriven twice", "internal/engine/bulk.go",
			"if r.redrives && (b.loaded.LettersGone[r.letter.ID] ||", "if r.redrives && (false ||",
			[]layer{engines()},
		},
		{
			"redrives that do not wait for each other", "store/bulkresults.go",
			"from dead_letters where id = any($1) order by id for update", "from dead_letters where id = any($1) order by id",
			[]layer{{"redrives", []string{"./store", "-run", "Suite/races/of_many_redrives"}}},
		},
		{
			"a redriven command with other bytes", "internal/engine/bulk.go",
			"command.Body, queue = letter.Body, command.Queue", "_, queue = letter.Body, command.Queue",
			[]layer{engines()},
		},
		{
			"a disabled definition that is started", "store/optimistic.go",
			"and not exists (select from disabled_definitions x where x.name = n.name)", "and n.name <> ''", stored,
		},
	}
}

// rewindMutants returns defects of rewinds.
func rewindMutants() []mutant {
	core := []layer{modelCheck(), specifications(), simulation()}
	return []mutant{
		{
			"a rewind that skips a compensation", "saga/backward.go",
			"in.Rewind != nil && !d.rewinds(in, i) {", "in.Rewind != nil && i != d.step(in.Rewind.To) {",
			core,
		},
		{
			"a rewind under the key of the first execution", "saga/rewind.go",
			"fresh.Rewinds++", "fresh.Rewinds += 0", core,
		},
		{
			"a compensation of the wrong execution", "saga/backward.go",
			"command.Compensates = executed.IdempotencyKey()", "_ = executed",
			core,
		},
		{
			"a rewind that forgets an unknown outcome", "saga/rewind.go",
			"if s.Uncertain && !s.TookEffect && !s.Oversized {", "if s.Uncertain && s.TookEffect {",
			core,
		},
		{
			"a rewind that sends other steps their next attempts", "saga/rewind.go",
			"return in.Phase == PhaseBackward && in.Steps[i].Status == StepRetrying", "return in.Phase == PhaseScheduled && i < 0",
			core,
		},
		{
			"a barrier that reverses another execution", "steps/barrier.sql",
			"WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = target AND b.outcome = 'succeeded';",
			"WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = 'execute' AND b.outcome = 'succeeded';",
			[]layer{barrier()},
		},
	}
}
