package sim

import (
	"context"
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// check examines the evidence once the simulation is at rest. It knows docs/rules.md and the definitions, and calls
// none of the code under test.
func (e *evidence) check() []Violation {
	e.checkStarts()
	e.checkLetters()
	for _, d := range e.sagas {
		v := &sagaCheck{evidence: e, sagaEvidence: d, steps: make([]stepHistory, len(d.def.Steps))}
		for i := range v.steps {
			v.steps[i].execution = 1
		}
		v.checkStored()
		v.checkHistory()
		v.checkServices()
		v.checkHeard()
		v.checkEnd()
		v.checkCalls()
		v.checkSignals()
		v.checkChildren()
	}
	return e.violations
}

// sagaCheck is the check of one saga.
type sagaCheck struct {
	*evidence
	*sagaEvidence

	steps       []stepHistory // what the history says about each step
	backward    bool
	ended       saga.EntryType // the entry of its end; empty: none
	reopened    bool
	paused      bool
	disturbed   bool   // an operator stopped or turned it, so its times mean little
	deniedPivot string // the pivot that an operator marked as not done
	lateSteps   map[string]bool
	rewinding   string // the step to which the saga is rewound; empty: none
}

func (v *sagaCheck) fail(rule, format string, arguments ...any) {
	v.violate(v.id, rule, fmt.Sprintf(format, arguments...))
}

// reportStalled reports every saga that should have come to rest by now.
func (e *evidence) reportStalled(when string) {
	before := len(e.violations)
	for _, d := range e.sagas {
		in := &d.instance
		if !in.Status.Terminal() || in.Attention != nil && when != "after the faults" {
			if when == "after the faults" && (in.Status == saga.Stuck || in.Status == saga.Paused || e.awaitsChild(d)) {
				continue
			}
			e.violate(d.id, "every saga comes to an end", fmt.Sprintf("%s it is still %s (attention: %v)", when, in.Status, in.Attention))
		}
	}
	s := e.sim
	if len(e.violations) == before {
		e.violate("", "everything comes to rest", fmt.Sprintf("%s %d messages are in the broker, outbox empty: %t, zombies: %d",
			when, s.broker.inside, e.outboxEmpty(), s.zombies))
	}
}

// checkStarts: each key has one saga, and each saga was requested.
func (e *evidence) checkStarts() {
	byRequest := make(map[string]string, len(e.sagas))
	inUse := make(map[string]*sagaEvidence)
	for _, d := range e.sagas {
		if d.instance.Parent != nil {
			continue // checked by checkChildren
		}
		if other, twice := byRequest[d.request]; twice || d.request == "" {
			e.violate(d.id, "one idempotency key, one saga", fmt.Sprintf("start %q made %q too", d.request, other))
		}
		byRequest[d.request] = d.id
		if d.instance.Key == "" {
			continue
		}
		key := d.instance.Definition + "/" + d.instance.Key
		if before := inUse[key]; before != nil && !reopened(before) && before.instance.FinishedAt.After(d.instance.CreatedAt) {
			e.violate(d.id, "a business key is in use once", "at the same time as "+before.id)
		}
		inUse[key] = d
	}
}

func reopened(d *sagaEvidence) bool {
	return slices.ContainsFunc(d.entries, func(entry saga.Entry) bool { return entry.Type == saga.EntryReopened })
}

// checkLetters: every dead letter has a reason.
func (e *evidence) checkLetters() {
	letters, _, err := e.sim.store.DeadLetters(context.Background(), record.DeadLetterFilter{}, record.Page{})
	if err != nil {
		panic(err) // the store in memory does not fail
	}
	for i := range letters {
		if letters[i].Reason == "" || letters[i].CommandID == "" {
			e.violate(letters[i].SagaID, "a dead letter has a reason", letters[i].ID)
		}
	}
}

// checkStored: the stored history is the committed one.
func (v *sagaCheck) checkStored() {
	stored, _, err := v.sim.store.History(context.Background(), v.id, record.Page{})
	if err != nil || len(stored) != len(v.entries) || v.instance.Entries != int64(len(stored)) {
		v.fail("the history is whole", "%d entries stored, %d committed, %d counted: %v",
			len(stored), len(v.entries), v.instance.Entries, err)
		return
	}
	for i := range stored {
		if stored[i].Seq != int64(i+1) || stored[i].Type != v.entries[i].Type || stored[i].Step != v.entries[i].Step {
			v.fail("the history is whole", "entry %d is %s %s with seq %d", i+1, stored[i].Type, stored[i].Step, stored[i].Seq)
		}
	}
}

// checkCalls: an accepted action happened once, and a refused one did not happen.
func (v *sagaCheck) checkCalls() {
	for i := range v.calls {
		c := &v.calls[i]
		times := 0
		var last saga.Entry
		for _, entry := range v.entries {
			if entry.Actor == c.action.Actor && (times == 0 || !entry.At.Equal(last.At)) {
				times++
				last = entry
			}
		}
		switch {
		case c.accepted && times != 1:
			v.fail("an accepted action is done once", "%s of %s: %d times", c.action.Name, c.action.Actor, times)
		case c.refused && times != 0:
			v.fail("a refused action is not done", "%s of %s", c.action.Name, c.action.Actor)
		case times > 1:
			v.fail("an action is done once at most", "%s of %s: %d times", c.action.Name, c.action.Actor, times)
		}
	}
}

// asked reports whether an operator requested that action and was not refused.
func (v *sagaCheck) asked(name saga.ActionName) bool {
	return slices.ContainsFunc(v.calls, func(c call) bool { return c.action.Name == name && !c.refused })
}
