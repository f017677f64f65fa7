package sim

import (
	"context"
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// judge goes through the evidence once everything is at rest. It knows the contract and the definitions' graphs, and
// asks nothing of the code that is judged.
func (e *evidence) judge() []Violation {
	e.judgeStarts()
	e.judgeLetters()
	for _, d := range e.sagas {
		v := &verdict{evidence: e, dossier: d, steps: make([]fold, len(d.plan.Steps))}
		v.judgeStored()
		v.judgeHistory()
		v.judgeServices()
		v.judgeHeard()
		v.judgeEnd()
		v.judgeCalls()
	}
	return e.violations
}

// verdict is the judgement of one saga.
type verdict struct {
	*evidence
	*dossier

	steps     []fold // what the history says of each step
	backward  bool
	ended     saga.EntryType // the entry of its end; empty: none
	reopened  bool
	paused    bool
	everSlow  bool   // a person has stopped or turned it, so times say little
	notTaken  string // the pivot of which a person has said that it did not happen
	lateSteps map[string]bool
}

func (v *verdict) fail(rule, format string, arguments ...any) {
	v.accuse(v.id, rule, fmt.Sprintf(format, arguments...))
}

// stalled accuses every saga that is not where it has to be by now.
func (e *evidence) stalled(when string) {
	before := len(e.violations)
	for _, d := range e.sagas {
		in := &d.instance
		if !in.Status.Terminal() || in.Attention != nil && when != "after the healing" {
			if when == "after the healing" && (in.Status == saga.Stuck || in.Status == saga.Paused) {
				continue
			}
			e.accuse(d.id, "every saga comes to an end", fmt.Sprintf("%s it is still %s (attention: %v)", when, in.Status, in.Attention))
		}
	}
	w := e.world
	if len(e.violations) == before {
		e.accuse("", "everything comes to rest", fmt.Sprintf("%s %d messages are in the broker, outbox empty: %t, zombies: %d",
			when, w.broker.inside, e.outboxEmpty(), w.zombies))
	}
}

// judgeStarts: one saga for each key, and none that nobody has asked for.
func (e *evidence) judgeStarts() {
	byRequest := make(map[string]string, len(e.sagas))
	inUse := make(map[string]*dossier)
	for _, d := range e.sagas {
		if other, twice := byRequest[d.request]; twice || d.request == "" {
			e.accuse(d.id, "one idempotency key, one saga", fmt.Sprintf("start %q made %q too", d.request, other))
		}
		byRequest[d.request] = d.id
		if d.instance.Key == "" {
			continue
		}
		key := d.instance.Definition + "/" + d.instance.Key
		if before := inUse[key]; before != nil && !reopened(before) && before.instance.FinishedAt.After(d.instance.CreatedAt) {
			e.accuse(d.id, "a business key is in use once", "at the same time as "+before.id)
		}
		inUse[key] = d
	}
}

func reopened(d *dossier) bool {
	return slices.ContainsFunc(d.entries, func(entry saga.Entry) bool { return entry.Type == saga.EntryReopened })
}

// judgeLetters: whatever is put aside says why.
func (e *evidence) judgeLetters() {
	letters, _, err := e.world.store.DeadLetters(context.Background(), record.Page{})
	if err != nil {
		panic(err) // a store in memory answers
	}
	for i := range letters {
		if letters[i].Reason == "" || letters[i].CommandID == "" {
			e.accuse(letters[i].SagaID, "a dead letter says why it is one", letters[i].ID)
		}
	}
}

// judgeStored: what is stored is what was committed.
func (v *verdict) judgeStored() {
	stored, _, err := v.world.store.History(context.Background(), v.id, record.Page{})
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

// judgeCalls: what a person was told is done was done once; what was refused was not done.
func (v *verdict) judgeCalls() {
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

// asked says whether a person has asked for that and was not refused.
func (v *verdict) asked(name saga.ActionName) bool {
	return slices.ContainsFunc(v.calls, func(c call) bool { return c.action.Name == name && !c.refused })
}
