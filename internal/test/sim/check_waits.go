package sim

import (
	"encoding/json"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// compensable reports whether step i can be compensated: by a command, or because it starts a child.
func (v *sagaCheck) compensable(i int) bool {
	step := &v.def.Steps[i]
	return step.Compensation != "" || step.Saga != "" && step.Kind == saga.Compensatable
}

// waits follows a step that begins to wait.
func (v *sagaCheck) waits(entry *saga.Entry, i int) {
	v.checkDispatch(entry, i)
	s := &v.steps[i]
	s.waits, s.compensating, s.unwound = *entry, false, false
	s.out = v.def.Steps[i].Saga != ""
	s.command = saga.CommandID{Saga: v.id, Step: entry.Step, Direction: saga.Execute, Round: s.execution, Attempt: entry.Attempt}
	if v.def.Steps[i].Wait() == saga.NoWait {
		v.fail("only a step that waits waits", "%s", entry.Step)
	}
}

// asksRunningChild follows a parent that turns back while its child runs. That waits for no other branch.
func (v *sagaCheck) asksRunningChild(entry *saga.Entry, i int) bool {
	s := &v.steps[i]
	if v.def.Steps[i].Saga == "" || !s.out || s.compensating {
		return false
	}
	if !v.backward || v.paused || s.unwound || v.def.Steps[i].Kind != saga.Compensatable {
		v.fail("a child is turned back with its parent, once", "%s", entry.Step)
	}
	s.unwound = true
	s.rounds++
	return true
}

// sparesChild reports whether a rewind is in progress that leaves the running child of step j alone.
func (v *sagaCheck) sparesChild(j int) bool {
	if v.rewinding == "" || v.def.Steps[j].Saga == "" {
		return false
	}
	to := v.index(v.rewinding)
	return j != to && !v.follows(j, to)
}

// checkWaitEnded: a wait succeeds by what it waited for, and never early (rules 18, 19 and 23).
func (v *sagaCheck) checkWaitEnded(entry *saga.Entry, i int) {
	s, step := &v.steps[i], &v.def.Steps[i]
	if step.Wait() != saga.NoWait && s.waits.Type == "" {
		v.fail("a wait begins before it ends", "%s", entry.Step)
		return
	}
	switch step.Wait() {
	case saga.WaitForSignal:
		if !v.givenBy(entry, i) {
			v.fail("a step gets its signal before it goes on", "%s", entry.Step)
		}
	case saga.WaitDelay:
		if due := s.waits.At.Add(time.Duration(step.Delay)); entry.At.Before(due.Truncate(time.Microsecond)) {
			v.fail("a delay never ends early", "%s by %s", entry.Step, due.Sub(entry.At))
		}
	case saga.WaitUntil:
		var data struct {
			At time.Time `json:"at"`
		}
		if err := json.Unmarshal(v.instance.Data, &data); err != nil || entry.At.Before(data.At.Truncate(time.Microsecond)) {
			v.fail("a step waits until its time", "%s at %s, not %s: %v", entry.Step, entry.At, data.At, err)
		}
	case saga.WaitForChild:
		if !v.childHad(s.waits.Detail["child"], saga.EntryCompleted, entry.At) {
			v.fail("a step succeeds when its child has completed", "%s", entry.Step)
		}
	}
}

// givenBy reports whether a signal was given to the step that it has not taken before it was reset, at the latest in that entry.
func (v *sagaCheck) givenBy(end *saga.Entry, i int) bool {
	given, taken := false, false
	for n := range v.entries {
		entry := &v.entries[n]
		switch {
		case entry.Seq >= end.Seq:
			return given
		case entry.Step == end.Step && entry.Type == saga.EntrySignalGiven:
			given, taken = true, false
		case entry.Step == end.Step && (entry.Type == saga.EntryStepSucceeded || entry.Type == saga.EntryStepFailed):
			taken = given
		case entry.Step == end.Step && entry.Type == saga.EntryRetried:
			given = false
		case entry.Type == saga.EntryRewound && taken && (entry.Step == end.Step || v.follows(i, v.index(entry.Step))):
			given, taken = false, false
		}
	}
	return given
}

// checkWaitFailed: a signal's timeout is never early.
func (v *sagaCheck) checkWaitFailed(entry *saga.Entry, i int) {
	s, step := &v.steps[i], &v.def.Steps[i]
	if step.Signal == "" || entry.Detail["code"] != saga.CodeSignalTimeout { // a child passes the code of its failure on
		return
	}
	if due := s.waits.At.Add(time.Duration(step.Timeout)); entry.At.Before(due.Truncate(time.Microsecond)) {
		v.fail("a wait never times out early", "%s by %s", entry.Step, due.Sub(entry.At))
	}
}

// skippedByCondition follows a step whose condition was false: nothing of it is done or compensated (rule 20).
func (v *sagaCheck) skippedByCondition(entry *saga.Entry, i int) bool {
	if entry.Actor != "" {
		return false
	}
	holds, err := flags{}.Holds(v.instance.Data)
	done, _ := v.count(entry.Step, entry.At)
	if v.def.Steps[i].When == "" || err != nil || holds || done > 0 || v.backward || v.paused {
		v.fail("a step is skipped when its turn comes and its condition is false", "%s, done %d times", entry.Step, done)
	}
	v.steps[i].skipped, v.steps[i].conditional = true, true
	return true
}

// checkSignals: a signal that was accepted counted once, and one that was refused did not count.
func (v *sagaCheck) checkSignals() {
	given := make(map[string]int)
	for i := range v.entries {
		if v.entries[i].Type == saga.EntrySignalGiven {
			given[v.entries[i].Actor]++
		}
	}
	for _, signal := range v.signals {
		switch times := given[signal.actor]; {
		case times > 1, signal.accepted && times != 1:
			v.fail("a signal counts once", "that of %s for %s counted %d times", signal.actor, signal.step, times)
		}
	}
}

// childHad reports whether a child had an entry of that type by then.
func (v *sagaCheck) childHad(id any, kind saga.EntryType, by time.Time) bool {
	name, _ := id.(string)
	child := v.known[name]
	if child == nil {
		return false
	}
	for i := range child.entries {
		if child.entries[i].Type == kind && !child.entries[i].At.After(by.Add(clockStep)) {
			return true
		}
	}
	return false
}

// clockStep is how far the times of two sagas may be apart: each has the time of its own transaction.
const clockStep = time.Second

// childCompensated: a step whose child is to be compensated is compensated when the child is.
func (v *sagaCheck) childCompensated(entry *saga.Entry, i int) {
	if !v.childHad(v.steps[i].waits.Detail["child"], saga.EntryCompensated, entry.At) {
		v.fail("a step is compensated when its child is", "%s", entry.Step)
	}
}

// checkChildren: no child without its parent, one for each turn of a step, and parent and child agree how it ended.
func (v *sagaCheck) checkChildren() {
	if parent := v.instance.Parent; parent != nil {
		d := v.known[parent.Saga]
		if d == nil || !d.started(v.id, parent.Step) {
			v.fail("a child has a parent", "%s step %s did not start it", parent.Saga, parent.Step)
		}
	}
	for i := range v.def.Steps {
		name, ids := v.def.Steps[i].Name, v.instance.Steps[i].Children
		turns := 0
		for n := range v.entries {
			if v.entries[n].Type == saga.EntryStepWaits && v.entries[n].Step == name && v.def.Steps[i].Saga != "" {
				turns++
			}
		}
		if turns != len(ids) {
			v.fail("a step starts one child each time", "%s: %d times, %d children", name, turns, len(ids))
		}
		for _, id := range ids {
			if v.known[id] == nil {
				v.fail("a child is started", "%s of %s", id, name)
			}
		}
		if len(ids) > 0 && v.known[ids[len(ids)-1]] != nil && !v.excused(i) {
			v.checkLastChild(i, v.known[ids[len(ids)-1]].instance.Status)
		}
	}
}

func (v *sagaCheck) checkLastChild(i int, child saga.Status) {
	step, s := &v.def.Steps[i], &v.steps[i]
	switch {
	case v.instance.Status == saga.Completed && s.succeeded && child != saga.Completed:
		v.fail("parent and child agree", "completed, but the child of %s is %s", step.Name, child)
	case v.instance.Status == saga.Compensated && step.Kind == saga.Compensatable && child != saga.Compensated && !s.everSkipped:
		v.fail("parent and child agree", "compensated, but the child of %s is %s", step.Name, child)
	}
}

// started reports whether a step of the saga has started that child.
func (d *sagaEvidence) started(id, step string) bool {
	for i := range d.entries {
		if d.entries[i].Type == saga.EntryStepWaits && d.entries[i].Step == step && d.entries[i].Detail["child"] == id {
			return true
		}
	}
	return false
}
