package main

// outsideMutants returns defects that testers from outside have found.
func outsideMutants() []mutant {
	core := []layer{specifications()}
	plans := []layer{{"plans", []string{"./store", "-run", "TestPlansOfEmpty|TestABacklog|TestRetentionDeletes"}}}
	conditions := []layer{{"conditions", []string{"./saga/condition"}}}
	return []mutant{
		{
			"a comparison of large values that costs nothing", "saga/condition/guard.go",
			"t.equal(args[0], args[1])", "t.add(1)", conditions,
		},
		{
			"members of an object in another order each time", "saga/condition/data.go",
			"slices.SortFunc(keys, compareKeys)", "_ = slices.SortFunc[[]ref.Val]", conditions,
		},
		{
			"a schema that refers to itself many times over", "saga/schema/facts.go",
			"total = min(total+count(inner), maxApplied+1)", "total = max(total, count(inner))",
			[]layer{{"schemas", []string{"./saga/schema"}}},
		},
		{
			"published events that are compared with each place", "store/events.go",
			"and e.sink || '' = $1 and", "and e.sink = $1 and", plans,
		},
		{
			"old keys that are joined with the table", "store/expiry.go",
			"delete from idempotency_keys where key = any(array(select key from idempotency_keys", "delete from idempotency_keys where key in ((select key from idempotency_keys", plans,
		},
		{
			"an archive of sagas that cannot be deleted", "store/retention.go",
			"where s.id = any($1) and not (`+mustStay+`))", "where s.id = any($1) and (true or `+mustStay+`))",
			[]layer{retentionRules()},
		},
		{
			"a command of a paused saga that leaves", "store/release.go",
			"o.held_rank > 0 and not ` + sagaPaused + `", "o.held_rank > 0 and (true or ` + sagaPaused + `)",
			[]layer{{"queue rules", []string{"./store", "-run", "Suite//paused_saga"}}},
		},
		{
			"a stream that outlives its key", "api/sagas_watch.go",
			"if s.refused(ctx) != nil {", "if s.refused(ctx) != nil && known < 0 {",
			[]layer{{"streams", []string{"./api", "-run", "TestStreamsAndWaits"}}},
		},
		{
			"a signal that a rewind forgets", "saga/rewind.go",
			"s.Signal != nil && !s.Signal.Taken", "s.Signal != nil && s.Signal.Taken && false", core,
		},
		{
			"a known effect that a retry forgets", "saga/settle.go",
			"return s.EffectKnown || s.Oversized", "return s.Oversized", core,
		},
		{
			"an input without a limit", "saga/waiting.go",
			"if len(input) <= limit {", "if len(input) <= limit || limit > 0 {", core,
		},
		{
			"a compensation of what was entered and not left", "steps/barrier.sql",
			"WHEN effect.outcome = 'begun' THEN -- and committed", "WHEN effect.outcome = 'nothing' THEN -- and committed",
			[]layer{{"barrier", []string{"./steps", "-run", "TestAKeyThatWasEntered"}}},
		},
		{
			"a bulk action that acts although dry_run is null", "api/http_decode.go",
			`member.Tag.Get("null") == "refused"`, `member.Tag.Get("null") == "never"`,
			[]layer{{"bulk calls", []string{"./api", "-run", "Bulk"}}},
		},
	}
}

// peerMutants returns defects at the edges of broker, database and foreign workers.
func peerMutants() []mutant {
	checks := []layer{{"checks", []string{"./internal/rabbit", "-run", "CheckMessage|DeadLettering|CheckExchange|CheckQueue|DeadLettersNothing"}}}
	urls := []layer{{"URLs", []string{"./internal/rabbit", "./store", "-run", "Password"}}}
	return []mutant{
		{
			"a dead check message that counts again and again", "internal/rabbit/deadlettercheck.go",
			"case c.died.Swap(false):", "case c.died.Load():", checks,
		},
		{
			"a check of dead-lettering that stays valid", "internal/rabbit/deadlettering.go",
			"> knownRounds*b.config.CheckEvery {", "> 1000*knownRounds*b.config.CheckEvery {", checks,
		},
		{
			"an exchange of check messages that stays deleted", "internal/rabbit/deadlettercheck.go",
			"if c.lost() || c.quiet == suspicion {", "if c.lost() {", checks,
		},
		{
			"check messages that never expire", "internal/rabbit/deadlettercheck.go",
			"mismatch != nil || fault != nil {", "fault != nil {", checks,
		},
		{
			"NaN that hides a verdict", "steps/wire/verdict.go",
			"for _, escapes := range []bool{false, true} {", "for _, escapes := range []bool{} {",
			[]layer{replies()},
		},
		{
			"an odd escape merged into the data", "steps/wire/repair.go",
			"to = append(to, unreadable...)", "to = append(to, `\\\\`...)",
			[]layer{replies()},
		},
		{
			"a password that another @ reveals", "store/databaseurl.go",
			`strings.Count(rest[:end], "@") > 1 ||`, `strings.Count(rest[:end], "@") > 9 ||`, urls,
		},
		{
			"an AMQP URL without a host", "internal/rabbit/config.go",
			"|| !namesHost(c.URL) {", `|| c.URL == "" && !namesHost(c.URL) {`, urls,
		},
		{
			"a database without tables, taken for ready", "store/sessions.go",
			"if err == nil {\n\t\terr = s.checkTables(ctx)", "if err == nil && readOnly {\n\t\terr = s.checkTables(ctx)",
			[]layer{{"readiness", []string{"./store", "-run", "WithoutOurTables"}}},
		},
		{
			"a year that ends the counts of all queues", "store/rowscan.go",
			"` between '0001-01-02' and '9999-12-30'`", "` < 'infinity'`",
			[]layer{{"broken rows", []string{"./store", "-run", "NoBrokenRow"}}},
		},
		{
			"a rate without a bound", "store/queuesettings.go",
			"else least(greatest(rate, 0.01), 100000) end`", "else rate end`",
			[]layer{{"broken rows", []string{"./store", "-run", "NumbersOutOfRange"}}},
		},
		{
			"an answer of the API whose end is the page's", "api/ui/client.go",
			"		if recover() != nil {\n			err = refused(", "		if err != nil {\n			err = refused(",
			[]layer{{"the page", []string{"./api/ui", "-run", "AnAnswerThatTheAPIEnds"}}},
		},
		{
			"a saga on which nothing is decided and that looks sound", "api/unreadable.go",
			"&& definition.Check(&stored.Instance) != nil:", "&& definition == nil:",
			[]layer{{"broken rows", []string{"./api", "-run", "FaultsAreInTheDetails"}}},
		},
	}
}

// familyMutants returns defects about parents and children whose rows were damaged.
func familyMutants() []mutant {
	families := func(tests string) []layer { return []layer{{"families", []string{"./server", "-run", tests}}} }
	return []mutant{
		{
			"a parent that does not hear of an unreadable child", "internal/engine/undecidable.go",
			"if in.Parent == nil {", "if in.Parent == nil || in.Phase == \"\" {",
			families("Rule23TheParentOfAnUnreadableChild"),
		},
		{
			"a child that was deleted by hand and counts as compensated", "internal/engine/children_gone.go",
			"return in == nil && err == nil, err", "return in != nil && err == nil, err",
			families("Rule23AParentWhoseChildWasDeleted"),
		},
		{
			"an end of a child that only its message knows", "internal/engine/children.go",
			"if id.Step != saga.ParentStep {", "if id.Step != \"\" {",
			families("Rule23TheEndOfAChildIsKept"),
		},
		{
			"a restored saga that the engine takes for running", "store/columns.go",
			"if in.Status == saga.Abandoned && progress.Phase != saga.PhaseEnded {", "if in.Status == saga.Abandoned && progress.Phase == \"\" {",
			families("Rule23TheEndOfAChildIsKept|Rule23TheParentOfAnUnreadable"),
		},
		{
			"an unreadable saga that messages take for none", "internal/engine/children.go",
			"return &found.Instance, found.Unreadable", "if found.Unreadable != nil {\n\t\treturn nil, nil\n\t}\n\treturn &found.Instance, nil",
			[]layer{{"families", []string{"./internal/engine", "-run", "Rule23"}}},
		},
	}
}
