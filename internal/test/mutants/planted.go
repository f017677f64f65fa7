package main

// The layers of tests, by their packages.
func specifications() layer { return layer{"specification", []string{"./saga"}} }

func modelCheck() layer {
	return layer{"model check", []string{"./internal/test/modelcheck", "-run", "TestEveryOrderOfEvents/[12]_steps", "-skip", "TestEveryOrderOfEvents/steps/(special|child)"}}
}

func simulation() layer {
	return layer{"simulation", []string{"./internal/test/sim", "-run", "TestSimulation", "-sim.sagas=20000"}}
}

// conformance returns what every store is tested with. The store's own tests take minutes more.
func conformance() layer {
	return layer{"conformance", []string{"./store", "./store/memory", "-run", "Suite"}}
}

// fences returns the store's tests of lost updates and unreadable rows.
func fences() layer {
	return layer{"fences", []string{"./store", "-run", "Failover|Lost|EditByHand|PreviousVersion|ReadOnly|NoBrokenRow|Suite/(claims|sizes)"}}
}

func brokers() layer { return layer{"broker", []string{"./internal/rabbit"}} }

func barrier() layer { return layer{"barrier", []string{"./steps"}} }

// mutants returns the planted defects. Each is a plausible mistake, and real systems have had it.
func mutants() []mutant {
	all := coreMutants()
	all = append(all, storeMutants()...)
	all = append(all, messagingMutants()...)
	all = append(all, brokerMutants()...)
	all = append(all, engineMutants()...)
	all = append(all, operatorMutants()...)
	all = append(all, queueMutants()...)
	all = append(all, retentionMutants()...)
	all = append(all, outsideMutants()...)
	all = append(all, peerMutants()...)
	all = append(all, damageMutants()...)
	all = append(all, placeMutants()...)
	all = append(all, costlyMutants()...)
	all = append(all, costlyStartMutants()...)
	all = append(all, outageMutants()...)
	all = append(all, familyMutants()...)
	all = append(all, eventMutants()...)
	all = append(all, rewindMutants()...)
	all = append(all, workerMutants()...)
	all = append(all, speedMutants()...)
	all = append(all, waitMutants()...)
	return append(all, callerMutants()...)
}

// coreMutants returns defects of the decisions.
func coreMutants() []mutant {
	core := []layer{modelCheck(), specifications()}
	return []mutant{
		{
			"compensation while a branch is still running", "saga/backward.go",
			"if t.next.Steps[i].Status == StepRunning && !t.def.spares(&t.next, i) {", "if t.next.Steps[i].Status == StepRunning && i < 0 {", core,
		},
		{
			"compensation out of order", "saga/backward.go",
			"if t.def.owes(&t.next, later) {", "if t.def.owes(&t.next, later) && later < 0 {", core,
		},
		{
			"no timer for the next attempt", "saga/timer.go",
			"consider(s.NextAttemptAt)", "consider(time.Time{})", core,
		},
		{
			"an effect counted twice", "saga/reply.go",
			"if s.TookEffect || s.Oversized", "if s.Status == StepSucceeded || s.Oversized", core,
		},
		{
			"an unknown outcome treated as a failure", "saga/forward.go",
			"if s.Uncertain {\n\t\ts.Status, entry = StepUnknown", "if s.Uncertain && i < 0 {\n\t\ts.Status, entry = StepUnknown", core,
		},
		{
			"a late success after the compensation not compensated", "saga/reply.go",
			"t.compensateOnceMore(i)", "s.Status = StepCompensated", core,
		},
		{
			"a cancel that compensates past the pivot", "saga/allowed.go",
			"in.TurnBack == nil && !d.pastPivot(in) &&", "in.TurnBack == nil &&", core,
		},
		{
			"another attempt of a pivot while a cancel waits for it", "saga/forward.go",
			"|| t.next.TurnBack != nil\n", "\n", core,
		},
		{
			"a failed compensation skipped silently", "saga/backward.go",
			"case StepSucceeded, StepUnknown, StepCompensating, StepCompensationFailed:", "case StepSucceeded, StepUnknown, StepCompensating:", core,
		},
		{
			"dispatch during a pause", "saga/transition.go",
			"func (t *transition) advance() {\n\tif t.next.PausedByOperator {", "func (t *transition) advance() {\n\tif t.next.PausedByOperator && t.now.IsZero() {", core,
		},
		{
			"an attempt times out while its command waits in the outbox", "saga/timer.go",
			"case w.Unpublished[id.String()]:", "case w.Unpublished[id.Saga]:", core,
		},
		{
			"a failure of an old attempt fails the new one", "saga/reply.go",
			"return found && out == id && t.active(i)", "return found && out.Direction == id.Direction && t.active(i)", core,
		},
	}
}

// storeMutants returns defects of the Postgres store.
func storeMutants() []mutant {
	stored := []layer{conformance()}
	return []mutant{
		{
			"a timer that is not stored", "store/bulk.go",
			"wake_at = n.wake_at", "wake_at = s.wake_at", stored,
		},
		{
			"a saga overwritten by another replica", "store/bulk.go",
			"where s.id = n.id and s.revision = n.loaded and s.write_token = n.token and s.xmin = n.transaction",
			"where s.id = n.id", stored,
		},
		{
			"a fence that checks only the revision", "store/bulk.go",
			"s.revision = n.loaded and s.write_token = n.token and s.xmin = n.transaction", "s.revision = n.loaded",
			[]layer{fences()},
		},
		{
			"an unchanged saga not checked against a stale cache", "store/optimistic.go",
			"o.queueUnchanged(b, w.changes.Updated)\n", "", stored,
		},
		{
			"a relay claims rows that another one is publishing", "store/claimoutbox.go",
			"update outbox o set claimed_until = now() + $5", "update outbox o set claimed_until = now() - $5", stored,
		},
		{
			"a claim from excluded queues", "store/claimoutbox.go",
			"queue is not null and queue <> all($3::text[])", "queue is not null and $3::text[] is not null",
			[]layer{fences()},
		},
		{
			"a page of due sagas that starts over", "store/due.go",
			"and s.wake_at >= $2 and (s.wake_at > $2 or s.id > $3)", "and $2::timestamptz is not null and $3 <> 'x'",
			[]layer{fences()},
		},
		{
			"an unreadable row fails its batch", "store/rowscan.go",
			"\t\ttake(row, scanColumns(rows, plans, into))\n",
			"\t\tif fault := scanColumns(rows, plans, into); fault != nil {\n\t\t\treturn fault\n\t\t}\n\t\ttake(row, nil)\n",
			[]layer{fences()},
		},
		{
			"a read-only session that stays in the pool", "store/sessions.go",
			"s.resetPools()\n\t\t\treturn false", "return true",
			[]layer{fences()},
		},
		{
			"an outbox row kept after its confirm", "store/load.go",
			"if len(confirmed) == 0 {", "if len(confirmed) >= 0 {", stored,
		},
	}
}

// messagingMutants returns defects between the store, the broker and the workers.
func messagingMutants() []mutant {
	simulated := []layer{simulation()}
	return []mutant{
		{
			"no check for returned commands", "internal/relay/receipts.go",
			"case wire.Returned, wire.Nacked,", "case wire.Returned:\n\t\t\tr.confirm(ctx, one)\n\t\tcase wire.Nacked,", simulated,
		},
		{
			"an unconfirmed publish treated as published", "internal/relay/receipts.go",
			"unconfirmed++\n", "r.confirm(ctx, one)\n", simulated,
		},
		{
			"a reply acknowledged before the commit", "internal/engine/intake.go",
			"done: e.settling(ctx, settle)}\n\treply, err", "done: func(answer) {}}\n\tsettle(true)\n\treply, err", simulated,
		},
		{
			"a relay that never polls the outbox", "internal/relay/relay.go",
			"if r.config.Publisher.CanPublish() != nil || !r.informed(ctx) {", "if r.config.Publisher.CanPublish() != nil || ctx != nil {", simulated,
		},
		{
			"an engine that never polls for due sagas", "internal/engine/background.go",
			"if !e.timers.remembers(one) && ", "if !e.timers.remembers(one) && one.SagaID == \"\" && ", simulated,
		},
		{
			"a returned command reported as confirmed", "internal/rabbit/flight.go",
			"Outcome: wire.Returned, Reason: f.returned", "Outcome: wire.Confirmed, Reason: f.returned",
			[]layer{brokers()},
		},
		{
			"a barrier that compares only attempts", "steps/barrier.sql",
			"WHEN mine.outcome = 'succeeded' OR the_attempt <= mine.attempt THEN", "WHEN the_attempt <= mine.attempt THEN",
			[]layer{barrier()},
		},
		{
			"a compensation that leaves no tombstone", "steps/barrier.sql",
			"VALUES (part[1], part[2], target, 'refused', 0)", "VALUES (part[1], part[2], 'execute', 'failed', 0)",
			[]layer{barrier()},
		},
		{
			"a simulated barrier that compares only attempts", "internal/test/sim/barrier.go",
			"case mine.outcome == succeeded || attempt <= mine.attempt:", "case attempt <= mine.attempt:", simulated,
		},
	}
}
