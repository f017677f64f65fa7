package sim

import "github.com/saga-orchestrator/orchestrator/saga"

// rewind follows a rewind of the saga to step to (rule 16).
func (v *sagaCheck) rewind(entry *saga.Entry, to int) {
	v.paused, v.disturbed = false, true
	switch entry.Type {
	case saga.EntryRewinding:
		v.backward, v.rewinding = true, entry.Step
	case saga.EntryRewound:
		if v.rewinding != entry.Step {
			v.fail("a rewind ends at the step where it began", "%s, not %q", entry.Step, v.rewinding)
		}
		v.backward, v.rewinding = false, ""
		for i := range v.steps {
			if i == to || v.follows(i, to) {
				v.resetStep(entry, i)
			}
		}
	}
}

// resetStep checks that the step has no effect that can be compensated, and begins its next execution.
func (v *sagaCheck) resetStep(entry *saga.Entry, i int) {
	s, step := &v.steps[i], &v.def.Steps[i]
	done, compensated := v.count(step.Name, entry.At)
	if v.owes(i) || s.out {
		v.fail("a rewind compensates before it runs a step again", "%s", step.Name)
	}
	if v.compensable(i) && done != compensated && !v.excused(i) {
		v.fail("a step that runs again has no effect", "%s: done %d times, compensated %d times", step.Name, done, compensated)
	}
	fresh := stepHistory{
		execution: s.execution, rounds: s.rounds, settledRounds: s.rounds, everUnknown: s.everUnknown, everSkipped: s.everSkipped,
	}
	if s.command.Saga != "" { // it has run
		fresh.execution++
	}
	*s = fresh
}
