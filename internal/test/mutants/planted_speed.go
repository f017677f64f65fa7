package main

// speedMutants returns defects of what makes the orchestrator fast: a batch that grows, data that is carried as text, sagas that
// are read without locks, entries of the audit log that wait for their seal.
func speedMutants() []mutant {
	batches := []layer{{"growing batches", []string{"./internal/engine", "-run", "Pace|Growth|Grow|LoneSaga"}}}
	texts := []layer{{"JSON text", []string{"./saga/rawjson", "./api/resource", "./steps", "./steps/wire", "-run", "JSON|Special|Member|Usual|Decoder|Command"}}}
	replicas := []layer{{"two replicas", []string{"./store", "-run", "AFewSagas|ALargeSaga|ChangesAfterItWasRead"}}}
	sealing := []layer{{"audit log", []string{"./store", "-run", "Suite/audit"}}}
	return []mutant{
		{
			"a lone saga that waits for itself", "internal/engine/pace.go",
			"if patience < shortestGrowth || expected < leastGrowth || waiting", "if patience == 0 || waiting", batches,
		},
		{
			"slow commands that slow fast ones down", "internal/engine/pace.go",
			"sum += min(t, growthShare*longestGrowth).Seconds()", "sum += t.Seconds() * 1000", batches,
		},
		{
			"a batch that grows beyond its patience", "internal/engine/lane.go",
			"	timer := time.NewTimer(patience)\n", "	timer := time.NewTimer(8 * patience)\n", batches,
		},
		{
			"a backslash overlooked in a long string", "saga/rawjson/scan.go",
			"((backslash - ones) &^ backslash)", "((backslash - ones) &^ backslash &^ highs)", texts,
		},
		{
			"a control character overlooked in a long string", "saga/rawjson/scan.go",
			"found := ((word - ones*' ') &^ word) |", "found :=", texts,
		},
		{
			"white space removed within strings", "saga/rawjson/members.go",
			"		case b == '\"':\n			at = afterString(document, at)\n", "", texts,
		},
		{
			"a member of a saga that its text leaves out", "api/resource/saga_json.go",
			"\to.time(\"next_attempt_at\", s.NextAttemptAt)\n", "", texts,
		},
		{
			"a promoted field that is not decoded", "steps/fields.go",
			"deeper = append(deeper, inner)", "_ = deeper", texts,
		},
		{
			"a change beside the member that was read", "steps/typed.go",
			"return changes(before, &data, decoder.spelling(raw))", "return changes(before, &data, nil)", texts,
		},
		{
			"a saga read without locks and without its fence", "store/optimistic.go",
			"o.found.add(fenced{found.Instance, row.fence})", "o.found.add(fenced{found.Instance, fence{}})", replicas,
		},
		{
			"a batch decided without the sagas that are not cached", "store/optimistic.go",
			"	if !all {\n		return s.transact(ctx, o.batch, decide)\n	}\n	changes", "	_ = all\n	changes", replicas,
		},
		{
			"an entry of the audit log sealed twice", "store/auditwaiting.go",
			"takeWaiting = `delete from audit_waiting w using (", "takeWaiting = `update audit_waiting w set at = at from (", sealing,
		},
		{
			"entries of the audit log sealed in another order", "store/auditwaiting.go",
			"select id, at, read_at, entries, bytes from taken order by id`", "select id, at, read_at, entries, bytes from taken order by id desc`", sealing,
		},
	}
}
