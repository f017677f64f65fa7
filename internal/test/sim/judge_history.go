package sim

import (
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const latest = 2 * time.Second // how much too late something may be done when all are well

// fold is what the history has said of a step so far.
type fold struct {
	out         bool // a command is out, in either direction
	due         time.Time
	succeeded   bool
	successes   int
	uncertain   bool // some attempt's outcome is unknown
	unknown     bool
	rounds      int
	skipped     bool // a person counts it, or its compensation, as done
	compensated bool
	undoneOnce  bool
	undoing     bool
	command     saga.CommandID // sent last
}

// judgeHistory folds the history by the contract's own words.
func (v *verdict) judgeHistory() {
	v.lateSteps = make(map[string]bool)
	var at time.Time
	for i := range v.entries {
		entry := &v.entries[i]
		if entry.At.Before(at) {
			v.fail("time goes forward", "entry %d", entry.Seq)
		}
		at = entry.At
		v.judgeAfterEnd(entry)
		if entry.Step == "" || v.index(entry.Step) < 0 {
			v.sagaEntry(entry)
			continue
		}
		v.stepEntry(entry, v.index(entry.Step))
	}
}

func (v *verdict) index(step string) int {
	return slices.IndexFunc(v.plan.Steps, func(s saga.Step) bool { return s.Name == step })
}

// judgeAfterEnd: an end is an end, but for what comes late and what people then do about it.
func (v *verdict) judgeAfterEnd(entry *saga.Entry) {
	if v.ended == "" {
		return
	}
	switch entry.Type {
	case saga.EntryStepLateEffect, saga.EntryAttention, saga.EntryAcknowledged, saga.EntryReopened, saga.EntryStepCompensated:
	default:
		v.fail("an end is an end", "%s after %s", entry.Type, v.ended)
	}
}

func (v *verdict) sagaEntry(entry *saga.Entry) {
	switch entry.Type {
	case saga.EntryCompensating:
		v.backward = true
	case saga.EntryPaused:
		v.paused, v.everSlow = true, true
	case saga.EntryResumed:
		v.paused = false
	case saga.EntryCancelRequested:
		v.paused, v.everSlow = false, true
	case saga.EntryCompleted:
		for i := range v.steps {
			if !v.steps[i].succeeded && !v.steps[i].skipped {
				v.fail("completed means that every step succeeded", "%s has not", v.plan.Steps[i].Name)
			}
		}
		v.ended = entry.Type
	case saga.EntryCompensated:
		for i := range v.steps {
			if v.owes(i) && !v.reopened {
				v.fail("compensated means that everything is undone", "%s is not", v.plan.Steps[i].Name)
			}
		}
		v.ended = entry.Type
	case saga.EntryAbandoned:
		v.ended = entry.Type
		if entry.Actor == "" && !v.reopened {
			v.fail("only a person abandons", "entry %d has no actor", entry.Seq)
		}
	}
}

func (v *verdict) stepEntry(entry *saga.Entry, i int) {
	s := &v.steps[i]
	switch entry.Type {
	case saga.EntryStepDispatched:
		v.judgeDispatch(entry, i)
		s.out, s.undoing = true, false
		s.command = saga.CommandID{Saga: v.id, Step: entry.Step, Direction: saga.Execute, Round: 1, Attempt: entry.Attempt}
		s.due = entry.At.Add(time.Duration(v.plan.Steps[i].Timeout))
	case saga.EntryCompensationSent:
		v.judgeCompensation(entry, i)
		s.out, s.undoing, s.compensated = true, true, false
		if entry.Attempt == 1 {
			s.rounds++
		}
		s.command = saga.CommandID{
			Saga: v.id, Step: entry.Step, Direction: saga.Compensate, Round: s.rounds, Attempt: entry.Attempt,
		}
		s.due = entry.At.Add(time.Duration(v.plan.Steps[i].CompensationTimeout))
	case saga.EntryStepDelayed, saga.EntryStepPublished:
		s.due = entry.At.Add(v.timeout(i))
	case saga.EntryStepTimedOut:
		v.judgeTimeout(entry, i)
		s.out, s.uncertain = false, s.uncertain || !s.undoing
	case saga.EntryStepLost:
		s.out, s.uncertain = false, s.uncertain || !s.undoing
	case saga.EntryStepAttemptFailed, saga.EntryCompensationRetry, saga.EntryCompensationExhausted:
		s.out = false
	case saga.EntryStepFailed:
		s.out = false
		if s.uncertain {
			v.fail("an unknown outcome is not a failure", "%s", entry.Step)
		}
	case saga.EntryStepUnknown:
		s.out, s.unknown = false, true
	case saga.EntryStepSucceeded:
		v.judgeSuccess(entry, i)
	case saga.EntryStepLateEffect:
		s.out, s.succeeded, v.lateSteps[entry.Step] = false, true, true
	case saga.EntryStepCompensated:
		v.judgeUndone(entry, i)
		s.out, s.compensated, s.undoneOnce = false, true, true
	case saga.EntryStepSkipped:
		s.out, s.skipped = false, true
	case saga.EntryReopened:
		v.reopened, v.ended = true, ""
	case saga.EntryCancelRequested:
		v.notTaken, v.everSlow = entry.Step, true
	case saga.EntryCompensating:
		v.backward = true
	case saga.EntryRetried:
		v.everSlow = true
	}
}

func (v *verdict) timeout(i int) time.Duration {
	if v.steps[i].undoing {
		return time.Duration(v.plan.Steps[i].CompensationTimeout)
	}
	return time.Duration(v.plan.Steps[i].Timeout)
}

// owes says whether step i may have had an effect that is not undone yet, but could be.
func (v *verdict) owes(i int) bool {
	s := &v.steps[i]
	return v.plan.Steps[i].Compensation != "" && (s.succeeded || s.unknown) && !s.compensated && !s.skipped
}

// judgeDispatch: forward only, after all predecessors, and not while a person has stopped it.
func (v *verdict) judgeDispatch(entry *saga.Entry, i int) {
	if v.backward || v.paused {
		v.fail("nothing is dispatched forward by a saga that goes back or stands still", "%s attempt %d", entry.Step, entry.Attempt)
	}
	if v.steps[i].out {
		v.fail("one command of a step is out at a time", "%s attempt %d", entry.Step, entry.Attempt)
	}
	for _, name := range v.plan.Steps[i].After {
		if before := &v.steps[v.index(name)]; !before.succeeded && !before.skipped {
			v.fail("a step comes after its predecessors", "%s before %s", entry.Step, name)
		}
	}
}

// judgeCompensation: only on the way back, when nothing forward is out, in reverse order, for what may have happened.
func (v *verdict) judgeCompensation(entry *saga.Entry, i int) {
	if !v.backward && !v.reopened || v.paused {
		v.fail("only a saga that goes back compensates", "%s", entry.Step)
	}
	if !v.steps[i].succeeded && !v.steps[i].unknown {
		v.fail("only what may have happened is compensated", "%s", entry.Step)
	}
	if v.reopened {
		return
	}
	for j := range v.steps {
		other := &v.steps[j]
		switch {
		case other.out && !other.undoing:
			v.fail("no compensation while a forward command is out", "%s while %s is", entry.Step, v.plan.Steps[j].Name)
		case v.plan.Steps[j].Kind == saga.Pivot && (other.succeeded || other.skipped) && v.notTaken == "":
			v.fail("past the pivot nothing is compensated", "%s", entry.Step)
		case j != i && v.owes(j) && v.follows(j, i):
			v.fail("compensation runs in reverse", "%s before %s", entry.Step, v.plan.Steps[j].Name)
		}
	}
}

// follows says whether step j comes after step i, directly or not.
func (v *verdict) follows(j, i int) bool {
	return slices.ContainsFunc(v.plan.Steps[j].After, func(name string) bool {
		before := v.index(name)
		return before == i || v.follows(before, i)
	})
}

// judgeTimeout: never early, and not late when all are well.
func (v *verdict) judgeTimeout(entry *saga.Entry, i int) {
	s := &v.steps[i]
	if entry.At.Before(s.due) {
		v.fail("no timer fires early", "%s by %s", entry.Step, s.due.Sub(entry.At))
	}
	if at := v.commands[s.command.String()].at; at.IsZero() || at.After(entry.At) {
		v.fail("the time of an attempt does not run in the outbox", "%s", s.command)
	}
	healthy := v.healthyFrom > 0 && s.due.Sub(epoch()) > v.healthyFrom
	if late := entry.At.Sub(s.due); healthy && !v.everSlow && late > latest {
		v.fail("a timer fires in time", "%s late by %s", entry.Step, late)
	}
}
