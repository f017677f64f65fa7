package main

// damageMutants returns defects by which a row that SQL has damaged stops others.
func damageMutants() []mutant {
	tables := []layer{{"damaged rows", []string{"./server", "-run", "TestADamagedRowOfAnyTable"}}}
	log := []layer{{"damaged audit log", []string{"./store", "-run", "AuditLog|AuditChain|VersionBeforeStops|DamagedTimes|KeptUpTo|Contradict"}}}
	keys := []layer{{"rows that no key opens", []string{"./store", "-run", "NoKeyOpens|AmongThePayloadKeys|LacksAKey"}}}
	return []mutant{
		{
			"an entry with a NUL that reaches Postgres", "store/auditdamage.go",
			"strings.ContainsRune(e.Actor+", "false && strings.ContainsRune(e.Actor+", log,
		},
		{
			"an audit log that ends with its damaged chain", "store/auditchain.go",
			"where seq > $1 and seq < 4500000000000000000", "where seq > $1 and seq < 0", log,
		},
		{
			"a time out of range that keeps entries from expiring", "store/auditchain.go",
			"where b.at` + usable + ` and b.at >= now()", "where b.at >= now()", log,
		},
		{
			"a foreign row that counts as a payload key", "store/payloadkeys.go",
			"!seal.IsVerifier(key.id, key.verifier)", "false && !seal.IsVerifier(key.id, key.verifier)", keys,
		},
		{
			"an event that no key opens and that stops the others", "store/events.go",
			"sealed != nil {\n			err = lacking()", "sealed != nil {\n			err = sealed", keys,
		},
		{
			"a payload that a replica without keys gives up", "store/bulkrows.go",
			"err = s.lackedKeys(ctx, tx)", "err = nil", keys,
		},
		{
			"a NUL in a progress that stops a queue", "store/places.go",
			"case when not ` + sound(\"s.progress\") + ` then '[]'::json", "case when false and not ` + sound(\"s.progress\") + ` then '[]'::json", tables,
		},
		{
			"a reply put with the dead letters by a replica that lacks its key", "internal/engine/undecidable.go",
			"!r.keepDead && errors.Is(s.fault, record.ErrPayloadKeys)", "r.keepDead && errors.Is(s.fault, record.ErrPayloadKeys)",
			[]layer{{"engine", []string{"./internal/engine", "-run", "AnotherReplica"}}},
		},
		{
			"a replica that keeps commands which it cannot open", "store/lackedkeys.go",
			"if len(ids) == 0 {", "if true {", keys,
		},
		{
			"data that nests deeper than can be shown", "store/columns.go",
			"r.in.Data, err = showable(data), checkNesting(data)", "r.in.Data = data",
			[]layer{fences()},
		},
		{
			"a row of the audit log with too many entries", "store/auditwaiting.go",
			"len(texts) > maxWaiting", "len(texts) > 50*maxWaiting", log,
		},
		{
			"a key that a saga which is gone still holds", "store/claims.go",
			"s.id = b.saga_id and s.finished_at is null\n", "s.id = b.saga_id\n",
			[]layer{{"keys", []string{"./store", "-run", "BusinessKeyOf"}}},
		},
	}
}
