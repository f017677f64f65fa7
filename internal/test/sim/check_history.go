package sim

import (
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// latest is the tolerated delay of timers without faults.
const latest = 2 * time.Second // how much too late something may be done when all are well

// stepHistory is what the history says about a step so far.
type stepHistory struct {
	out             bool // a command is out, in either direction
	due             time.Time
	succeeded       bool
	successes       int
	uncertain       bool // the outcome of some attempt is unknown
	unknown         bool
	rounds          int
	skipped         bool // an operator skipped the step or its compensation
	compensated     bool
	compensatedOnce bool
	compensating    bool
	command         saga.CommandID // the last one sent
	execution       int            // from 1; each rewind that reset the step after it had run adds one
	settledRounds   int            // compensations of earlier executions
	everUnknown     bool           // in any execution
	everSkipped     bool
	waits           saga.Entry // the last one that says that the step waits
	unwound         bool       // its child was asked to compensate while it ran
	conditional     bool       // its condition was false
}

// checkHistory replays the history by the rules of docs/rules.md.
func (v *sagaCheck) checkHistory() {
	v.lateSteps = make(map[string]bool)
	var at time.Time
	for i := range v.entries {
		entry := &v.entries[i]
		if entry.At.Before(at) {
			v.fail("time goes forward", "entry %d", entry.Seq)
		}
		at = entry.At
		v.checkAfterEnd(entry)
		if entry.Step == "" || v.index(entry.Step) < 0 {
			v.sagaEntry(entry)
			continue
		}
		v.stepEntry(entry, v.index(entry.Step))
	}
}

func (v *sagaCheck) index(step string) int {
	return slices.IndexFunc(v.def.Steps, func(s saga.Step) bool { return s.Name == step })
}

// checkAfterEnd: only late events and reactions of operators follow an end.
func (v *sagaCheck) checkAfterEnd(entry *saga.Entry) {
	if v.ended == "" {
		return
	}
	switch entry.Type {
	case saga.EntryStepLateEffect, saga.EntryAttention, saga.EntryAcknowledged, saga.EntryReopened, saga.EntryStepCompensated:
	default:
		v.fail("only late events follow an end", "%s after %s", entry.Type, v.ended)
	}
}

func (v *sagaCheck) sagaEntry(entry *saga.Entry) {
	switch entry.Type {
	case saga.EntryReopened: // by the parent, for good
		v.ended, v.reopened = "", false
	case saga.EntryCompensating:
		v.backward, v.rewinding = true, ""
	case saga.EntryPaused:
		v.paused, v.disturbed = true, true
	case saga.EntryResumed:
		v.paused = false
	case saga.EntryCancelRequested:
		v.paused, v.disturbed = false, true
	case saga.EntryCompleted:
		for i := range v.steps {
			if !v.steps[i].succeeded && !v.steps[i].skipped {
				v.fail("completed means that every step succeeded", "%s has not", v.def.Steps[i].Name)
			}
		}
		v.ended = entry.Type
	case saga.EntryCompensated:
		for i := range v.steps {
			if v.owes(i) && !v.reopened {
				v.fail("compensated means that no effect is left", "%s is not", v.def.Steps[i].Name)
			}
		}
		v.ended = entry.Type
	case saga.EntryAbandoned:
		v.ended = entry.Type
		if entry.Actor == "" && !v.reopened {
			v.fail("only an operator abandons", "entry %d has no actor", entry.Seq)
		}
	}
}

func (v *sagaCheck) stepEntry(entry *saga.Entry, i int) {
	s := &v.steps[i]
	switch entry.Type {
	case saga.EntryStepDispatched:
		v.checkDispatch(entry, i)
		s.out, s.compensating = true, false
		s.command = saga.CommandID{Saga: v.id, Step: entry.Step, Direction: saga.Execute, Round: s.execution, Attempt: entry.Attempt}
		s.due = entry.At.Add(time.Duration(v.def.Steps[i].Timeout))
	case saga.EntryStepWaits:
		v.waits(entry, i)
	case saga.EntryCompensationSent:
		if v.asksRunningChild(entry, i) {
			return
		}
		v.checkCompensation(entry, i)
		s.out, s.compensating, s.compensated = true, true, false
		if entry.Attempt == 1 {
			s.rounds++
		}
		s.command = saga.CommandID{
			Saga: v.id, Step: entry.Step, Direction: saga.Compensate, Round: s.rounds, Attempt: entry.Attempt,
		}
		s.due = entry.At.Add(time.Duration(v.def.Steps[i].CompensationTimeout))
	case saga.EntryStepDelayed, saga.EntryStepPublished:
		s.due = entry.At.Add(v.timeout(i))
	case saga.EntryStepTimedOut:
		v.checkTimeout(entry, i)
		s.out, s.uncertain = false, s.uncertain || !s.compensating
	case saga.EntryStepLost:
		s.out, s.uncertain = false, s.uncertain || !s.compensating
	case saga.EntryStepAttemptFailed, saga.EntryCompensationRetry, saga.EntryCompensationExhausted:
		s.out = false
	case saga.EntryStepFailed:
		s.out = false
		v.checkWaitFailed(entry, i)
		if s.uncertain {
			v.fail("an unknown outcome is not a failure", "%s", entry.Step)
		}
	case saga.EntryStepUnknown:
		s.out, s.unknown, s.everUnknown = false, true, true
	case saga.EntryStepSucceeded:
		v.checkSuccess(entry, i)
	case saga.EntryStepLateEffect:
		v.lateSteps[entry.Step] = true
		if entry.Detail["execution"] == nil { // else of an execution before a rewind
			s.out, s.succeeded = false, true
		}
	case saga.EntryStepCompensated:
		v.checkCompensated(entry, i)
		s.out, s.compensated, s.compensatedOnce = false, true, true
	case saga.EntryStepSkipped:
		if v.skippedByCondition(entry, i) {
			return
		}
		s.out, s.skipped, s.everSkipped = false, true, true
	case saga.EntryReopened:
		v.reopened, v.ended = true, ""
	case saga.EntryCancelRequested:
		v.deniedPivot, v.disturbed = entry.Step, true
	case saga.EntryCompensating:
		v.backward, v.rewinding = true, ""
	case saga.EntryRetried:
		v.disturbed = true
	case saga.EntryRewindRequested, saga.EntryRewinding, saga.EntryRewound:
		v.rewind(entry, i)
	}
}

func (v *sagaCheck) timeout(i int) time.Duration {
	if v.steps[i].compensating {
		return time.Duration(v.def.Steps[i].CompensationTimeout)
	}
	return time.Duration(v.def.Steps[i].Timeout)
}

// owes reports whether step i may have an effect that can be compensated but is not.
func (v *sagaCheck) owes(i int) bool {
	s := &v.steps[i]
	return v.compensable(i) && (s.succeeded || s.unknown) && !s.compensated && !s.skipped
}

// checkDispatch: only in the forward phase, after all predecessors, and not while paused.
func (v *sagaCheck) checkDispatch(entry *saga.Entry, i int) {
	if v.backward || v.paused {
		v.fail("no step is dispatched in the backward phase or during a pause", "%s attempt %d", entry.Step, entry.Attempt)
	}
	if v.steps[i].out {
		v.fail("one command of a step is out at a time", "%s attempt %d", entry.Step, entry.Attempt)
	}
	for _, name := range v.def.Steps[i].After {
		if before := &v.steps[v.index(name)]; !before.succeeded && !before.skipped {
			v.fail("a step comes after its predecessors", "%s before %s", entry.Step, name)
		}
	}
}

// checkCompensation: only in the backward phase, without forward commands out, in reverse order, for steps that may
// have an effect.
func (v *sagaCheck) checkCompensation(entry *saga.Entry, i int) {
	if !v.backward && !v.reopened || v.paused {
		v.fail("only a saga in its backward phase compensates", "%s", entry.Step)
	}
	if !v.steps[i].succeeded && !v.steps[i].unknown && !v.lateSteps[entry.Step] {
		v.fail("only a possible effect is compensated", "%s", entry.Step)
	}
	if v.reopened {
		return
	}
	for j := range v.steps {
		other := &v.steps[j]
		switch {
		case other.out && !other.compensating && !v.sparesChild(j):
			v.fail("no compensation while a forward command is out", "%s while %s is", entry.Step, v.def.Steps[j].Name)
		case v.def.Steps[j].Kind == saga.Pivot && (other.succeeded || other.skipped) && v.deniedPivot == "":
			v.fail("past the pivot no step is compensated", "%s", entry.Step)
		case j != i && v.owes(j) && v.follows(j, i):
			v.fail("compensation runs in reverse", "%s before %s", entry.Step, v.def.Steps[j].Name)
		}
	}
}

// follows reports whether step j comes after step i, directly or not.
func (v *sagaCheck) follows(j, i int) bool {
	return slices.ContainsFunc(v.def.Steps[j].After, func(name string) bool {
		before := v.index(name)
		return before == i || v.follows(before, i)
	})
}

// checkTimeout: never early, and not late without faults.
func (v *sagaCheck) checkTimeout(entry *saga.Entry, i int) {
	s := &v.steps[i]
	if entry.At.Before(s.due) {
		v.fail("no timer fires early", "%s by %s", entry.Step, s.due.Sub(entry.At))
	}
	if at := v.commands[s.command.String()].at; at.IsZero() || at.After(entry.At) {
		v.fail("the timeout does not run in the outbox", "%s", s.command)
	}
	healthy := v.healthyFrom > 0 && s.due.Sub(epoch()) > v.healthyFrom
	if late := entry.At.Sub(s.due); healthy && !v.disturbed && late > latest {
		v.fail("a timer fires in time", "%s late by %s", entry.Step, late)
	}
}
