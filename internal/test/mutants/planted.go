package main

// The layers. What needs servers says so by its package; the command is run with them.
func specifications() layer { return layer{"specification", []string{"./saga"}} }

func walked() layer {
	return layer{"walk", []string{"./internal/test/modelcheck", "-run", "TestEveryOrderOfEvents/[12]_steps"}}
}

func simulation() layer {
	return layer{"simulation", []string{"./internal/test/sim", "-run", "TestSimulation", "-sim.sagas=20000"}}
}

func conformance() layer { return layer{"conformance", []string{"./store/..."}} }

// fences are the tests of what the store must not write over, nor let stand in the way.
func fences() layer {
	return layer{"fences", []string{"./store", "-run", "Lost|EditByHand|VersionBefore|ReadOnly|NoValue|Rules/(claims|sizes)"}}
}

func brokers() layer { return layer{"broker", []string{"./internal/rabbit"}} }

func barrier() layer { return layer{"barrier", []string{"./steps"}} }

// mutants are the planted defects: each is one that somebody could make, and that some system has had.
func mutants() []mutant {
	all := coreMutants()
	all = append(all, storeMutants()...)
	all = append(all, wayMutants()...)
	all = append(all, brokerMutants()...)
	all = append(all, engineMutants()...)
	return append(all, callerMutants()...)
}

// coreMutants are defects of the decisions.
func coreMutants() []mutant {
	core := []layer{walked(), specifications()}
	return []mutant{
		{
			"compensation while a branch is out", "saga/backward.go",
			"if t.next.Steps[i].Status == StepRunning {", "if t.next.Steps[i].Status == StepRunning && i < 0 {", core,
		},
		{
			"compensation out of order", "saga/backward.go",
			"if t.def.owes(&t.next, later) {", "if t.def.owes(&t.next, later) && later < 0 {", core,
		},
		{
			"forgotten wake of a next attempt", "saga/timer.go",
			"consider(s.NextAttemptAt)", "consider(time.Time{})", core,
		},
		{
			"an effect counted twice", "saga/reply.go",
			"if s.TookEffect || s.Oversized", "if s.Status == StepSucceeded || s.Oversized", core,
		},
		{
			"an unknown outcome taken for a failure", "saga/forward.go",
			"if s.Uncertain {\n\t\ts.Status, entry = StepUnknown", "if s.Uncertain && i < 0 {\n\t\ts.Status, entry = StepUnknown", core,
		},
		{
			"a late success after the compensation not undone", "saga/reply.go",
			"t.compensateOnceMore(i)", "s.Status = StepCompensated", core,
		},
		{
			"a cancel that goes back past the pivot", "saga/allowed.go",
			"in.TurnBack == nil && !d.pastPivot(in) &&", "in.TurnBack == nil &&", core,
		},
		{
			"a further attempt of a pivot that a cancel waits for", "saga/forward.go",
			"|| t.next.TurnBack != nil\n", "\n", core,
		},
		{
			"a failed compensation skipped in silence", "saga/backward.go",
			"case StepSucceeded, StepUnknown, StepCompensating, StepCompensationFailed:", "case StepSucceeded, StepUnknown, StepCompensating:", core,
		},
		{
			"dispatch during a pause", "saga/transition.go",
			"func (t *transition) advance() {\n\tif t.next.PausedByOperator {", "func (t *transition) advance() {\n\tif t.next.PausedByOperator && t.now.IsZero() {", core,
		},
		{
			"the time of an attempt runs in the outbox", "saga/timer.go",
			"case w.Unpublished[id.String()]:", "case w.Unpublished[id.Saga]:", core,
		},
		{
			"an old attempt's failure fails the new one", "saga/reply.go",
			"return found && out == id && t.active(i)", "return found && out.Direction == id.Direction && t.active(i)", core,
		},
	}
}

// storeMutants are defects of what is kept.
func storeMutants() []mutant {
	kept := []layer{conformance()}
	return []mutant{
		{
			"a time to wake that is not stored", "store/bulk.go",
			"wake_at = n.wake_at", "wake_at = s.wake_at", kept,
		},
		{
			"a saga written over what another replica has made of it", "store/bulk.go",
			"where s.id = n.id and s.revision = n.loaded and s.write_token = n.token and s.xmin = n.transaction",
			"where s.id = n.id", kept,
		},
		{
			"a fence of the revision alone", "store/bulk.go",
			"s.revision = n.loaded and s.write_token = n.token and s.xmin = n.transaction", "s.revision = n.loaded",
			[]layer{fences()},
		},
		{
			"nothing decided on an old memory", "store/optimistic.go",
			"o.queueUnchanged(b, w.changes.Updated)\n", "", kept,
		},
		{
			"the relay takes what another one is publishing", "store/claimoutbox.go",
			"update outbox o set claimed_until = now() + $5", "update outbox o set claimed_until = now() - $5", kept,
		},
		{
			"a claim from queues that are left alone", "store/claimoutbox.go",
			"queue is not null and queue <> all($3::text[])", "queue is not null and $3::text[] is not null",
			[]layer{fences()},
		},
		{
			"due sagas from the start again", "store/due.go",
			"and s.wake_at >= $2 and (s.wake_at > $2 or s.id > $3)", "and $2::timestamptz is not null and $3 <> 'x'",
			[]layer{fences()},
		},
		{
			"a row that cannot be read fails its batch", "store/rowscan.go",
			"\t\ttake(row, scanColumns(rows, plans, into))\n",
			"\t\tif fault := scanColumns(rows, plans, into); fault != nil {\n\t\t\treturn fault\n\t\t}\n\t\ttake(row, nil)\n",
			[]layer{fences()},
		},
		{
			"a read-only session that stays", "store/sessions.go",
			"s.resetPools()\n\t\t\treturn false", "return true",
			[]layer{fences()},
		},
		{
			"an outbox row kept after its confirm", "store/load.go",
			"if len(confirmed) == 0 {", "if len(confirmed) >= 0 {", kept,
		},
	}
}

// wayMutants are defects on the way between the store, the broker and the workers.
func wayMutants() []mutant {
	way := []layer{simulation()}
	return []mutant{
		{
			"no check for returned commands", "internal/relay/receipts.go",
			"case wire.Returned, wire.Nacked,", "case wire.Returned:\n\t\t\tr.confirm(ctx, one)\n\t\tcase wire.Nacked,", way,
		},
		{
			"a publish without confirm taken for published", "internal/relay/receipts.go",
			"unconfirmed++\n", "r.confirm(ctx, one)\n", way,
		},
		{
			"a reply acknowledged before the commit", "internal/engine/intake.go",
			"done: e.settling(settle)}\n\treply, err", "done: func(answer) {}}\n\tsettle(true)\n\treply, err", way,
		},
		{
			"a relay that looks at what it was handed alone", "internal/relay/relay.go",
			"(more bool) {\n\tif r.config.Publisher.CanPublish() != nil {", "(more bool) {\n\tif r.config.Publisher.CanPublish() != nil || ctx != nil {", way,
		},
		{
			"an engine that trusts its own timers alone", "internal/engine/background.go",
			"if !e.timers.remembers(one.SagaID) && ", "if !e.timers.remembers(one.SagaID) && one.SagaID == \"\" && ", way,
		},
		{
			"returned commands not seen by the publisher", "internal/rabbit/flight.go",
			"Outcome: wire.Returned, Reason: f.returned", "Outcome: wire.Confirmed, Reason: f.returned",
			[]layer{brokers()},
		},
		{
			"a barrier that knows attempts only", "steps/barrier.sql",
			"WHEN mine.outcome = 'succeeded' OR the_attempt <= mine.attempt THEN", "WHEN the_attempt <= mine.attempt THEN",
			[]layer{barrier()},
		},
		{
			"a compensation that leaves no tombstone", "steps/barrier.sql",
			"VALUES (part[1], part[2], 'execute', 'refused', 0)", "VALUES (part[1], part[2], 'execute', 'failed', 0)",
			[]layer{barrier()},
		},
		{
			"services whose barrier knows attempts only", "internal/test/sim/barrier.go",
			"case mine.outcome == succeeded || attempt <= mine.attempt:", "case attempt <= mine.attempt:", way,
		},
	}
}
