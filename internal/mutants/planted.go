package main

// The layers. What needs servers says so by its package; the command is run with them.
func specifications() layer { return layer{"specification", []string{"./saga"}} }

func walked() layer {
	return layer{"walk", []string{"./internal/walk", "-failfast", "-run", "TestEveryOrderOfEvents/[12]_steps"}}
}

func simulation() layer { return layer{"simulation", []string{"./internal/sim"}} }

func conformance() layer { return layer{"conformance", []string{"./store/..."}} }

func relaying() layer { return layer{"relay", []string{"./internal/relay"}} }

func barrier() layer { return layer{"barrier", []string{"./steps"}} }

// mutants are the planted defects: each is one that somebody could make, and that some system has had.
func mutants() []mutant {
	all := coreMutants()
	all = append(all, storeMutants()...)
	return append(all, wayMutants()...)
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
			"if t.plan.owes(&t.next, later) {", "if t.plan.owes(&t.next, later) && later < 0 {", core,
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
			"func (t *transition) advance() {\n\tif t.next.PausedByPerson {", "func (t *transition) advance() {\n\tif t.next.PausedByPerson && t.now.IsZero() {", core,
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
	return []mutant{}
}

// wayMutants are defects on the way between the store, the broker and the workers.
func wayMutants() []mutant {
	return []mutant{}
}
