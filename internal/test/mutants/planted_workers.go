package main

func grading() layer { return layer{"worker check", []string{"./internal/workercheck"}} }

// workerMutants returns defects of the barrier for other languages, and of what grades workers.
func workerMutants() []mutant {
	behind, graded := []layer{barrier()}, []layer{grading()}
	return []mutant{
		{
			"a compensation that does not say that its step waited", "saga/backward.go",
			"Waited: t.def.Steps[i].Wait() != NoWait,", "Waited: i < 0,",
			[]layer{specifications()},
		},
		{
			"a barrier that skips the compensation of a step that waited", "steps/barrier.sql",
			"IF the_wait THEN", "IF the_wait AND the_key IS NULL THEN", behind,
		},
		{
			"functions that run a failed attempt again", "steps/barrier.sql",
			"FROM saga_barrier_enter(key, number, execution, waited) e;", "FROM saga_barrier_enter(key, number + 1, execution, waited) e;", behind,
		},
		{
			"a refusal that looks like a stored reply", "steps/barrier.sql",
			"THEN 'refused' ELSE 'reply' END);", "THEN 'reply' ELSE 'reply' END);", behind,
		},
		{
			"a failed reply of database/sql that is not stored", "steps/barrier_sql.go",
			"return nil, t.keep(ctx, reply)", "return nil, t.commit(ctx)", behind,
		},
		{
			"work that is kept beside a failed reply", "steps/barrier_tx.go",
			`"ROLLBACK TO SAVEPOINT saga_work"`, `"RELEASE SAVEPOINT saga_work"`, behind,
		},
		{
			"a check that takes any two successes for the same", "internal/workercheck/answers.go",
			"return a.succeeded() && b.succeeded() && equalJSON(", "return a.succeeded() && b.succeeded() || equalJSON(", graded,
		},
		{
			"a check that overlooks poison that comes again", "internal/workercheck/points_hard.go",
			`case c.died[m.MessageID] == "delivery_limit":`, `case c.died[m.MessageID] == "never":`, graded,
		},
	}
}
