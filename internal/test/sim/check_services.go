package sim

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// checkSuccess: a step counted as done was done by then, and is counted once.
func (v *sagaCheck) checkSuccess(entry *saga.Entry, i int) {
	s := &v.steps[i]
	s.out, s.succeeded = false, true
	s.successes++
	if s.successes > 1 {
		v.fail("a step succeeds once", "%s", entry.Step)
	}
	v.checkWaitEnded(entry, i)
	if done, _ := v.count(entry.Step, entry.At); done == 0 {
		v.fail("a success had an effect", "%s", entry.Step)
	}
}

// checkCompensated: a step counted as compensated was compensated by then, or never happened.
func (v *sagaCheck) checkCompensated(entry *saga.Entry, i int) {
	if v.def.Steps[i].Wait() == saga.WaitForChild {
		v.childCompensated(entry, i)
		return
	}
	if done, compensated := v.count(entry.Step, entry.At); done != compensated && !v.contradicted[entry.Step] {
		v.fail("a compensated step has no effect", "%s: done %d times, compensated %d times", entry.Step, done, compensated)
	}
}

// count returns how often services had done and compensated the execution of a step by that time.
func (v *sagaCheck) count(step string, by time.Time) (done, compensated int) {
	s := &v.steps[v.index(step)]
	execution := s.execution
	switch v.def.Steps[v.index(step)].Wait() {
	case saga.NoWait:
	case saga.WaitForChild:
		done = min(s.successes, 1) // no service did it
		if s.compensated {
			compensated = done
		}
		return done, compensated
	default:
		done = s.successes // no service did it
	}
	for i := range v.effects {
		switch e := &v.effects[i]; {
		case e.step != step || e.execution != execution || e.at.After(by):
		case e.compensated:
			compensated++
		default:
			done++
		}
	}
	return done, compensated
}

// checkServices: effects happen once, in the order of the graph, and are compensated in reverse.
func (v *sagaCheck) checkServices() {
	done := make(map[string]bool, len(v.effects))
	compensated := make(map[string]bool)
	keys := make(map[string]bool, len(v.effects))
	executions := make(map[string]int)
	for i := range v.effects {
		e := &v.effects[i]
		if keys[e.key] {
			v.fail("an idempotency key has one effect", "%s", e.key)
		}
		keys[e.key] = true
		if e.compensated {
			v.checkCompensationOrder(e.step, done, compensated)
			compensated[e.step] = true
			continue
		}
		if done[e.step] && executions[e.step] == e.execution {
			v.fail("a step is done once", "%s", e.step)
		}
		if i := v.index(e.step); done[e.step] && !compensated[e.step] && v.def.Steps[i].Compensation != "" && !v.excused(i) {
			v.fail("a step runs again after its compensation", "%s", e.step)
		}
		v.checkDone(v.index(e.step), done, compensated)
		done[e.step], compensated[e.step], executions[e.step] = true, false, e.execution
	}
}

// checkDone: a step is done after its predecessors. Without a compensation no tombstone stops a late
// command; the saga must then report an unknown outcome.
func (v *sagaCheck) checkDone(i int, done, compensated map[string]bool) {
	step := &v.def.Steps[i]
	late := step.Compensation == "" && v.steps[i].everUnknown
	for _, before := range step.After {
		j := v.index(before)
		if v.def.Steps[j].Wait() != saga.NoWait || v.def.Steps[j].When != "" {
			continue // checked by checkDispatch
		}
		missing := !done[before] || compensated[before] && !late
		if missing && !v.steps[v.index(before)].everSkipped && !v.excused(i) {
			v.fail("a step is done after its predecessors", "%s without %s", step.Name, before)
		}
	}
}

func (v *sagaCheck) checkCompensationOrder(step string, done, compensated map[string]bool) {
	i := v.index(step)
	waits := v.def.Steps[i].Wait() != saga.NoWait
	if !done[step] && !waits || compensated[step] && !waits {
		v.fail("an effect is compensated once", "%s", step)
	}
	for j := range v.def.Steps {
		later := v.def.Steps[j].Name
		open := done[later] && !compensated[later] && v.def.Steps[j].Compensation != ""
		if open && v.follows(j, i) && !v.excused(j) {
			v.fail("services compensate in reverse", "%s before %s", step, later)
		}
	}
}

// excused reports whether operators or a contradicting service determined the state of a step.
func (v *sagaCheck) excused(i int) bool {
	name := v.def.Steps[i].Name
	return v.steps[i].everSkipped || v.contradicted[name] || v.lateSteps[name]
}

// checkHeard: an acknowledged success is in the history. The success of a compensation that is repeated does not count,
// since it may have come too early.
func (v *sagaCheck) checkHeard() {
	for _, said := range v.heard {
		i := v.index(said.step)
		s := &v.steps[i]
		known := said.round == 0 && (s.succeeded || said.execution < s.execution) ||
			said.round > 0 && (s.compensatedOnce || said.round < s.rounds || said.round <= s.settledRounds)
		if !known && !v.excused(i) {
			v.fail("a reply is acknowledged when it is stored", "%s, round %d", said.step, said.round)
		}
	}
}

// checkEnd: all effects took place, or all are compensated, or an operator was called.
func (v *sagaCheck) checkEnd() {
	in := &v.instance
	ends := map[saga.Status]saga.EntryType{
		saga.Completed: saga.EntryCompleted, saga.Compensated: saga.EntryCompensated, saga.Abandoned: saga.EntryAbandoned,
	}
	if v.ended != ends[in.Status] {
		v.fail("status and history agree", "%s, but the history ends with %q", in.Status, v.ended)
	}
	end := time.Unix(1<<40, 0)
	for i := range v.def.Steps {
		name := v.def.Steps[i].Name
		done, compensated := v.count(name, end)
		switch {
		case v.excused(i):
		case v.steps[i].conditional && done > 0:
			v.fail("a step whose condition is false is not done", "%s", name)
		case v.steps[i].conditional:
		case in.Status == saga.Completed && (done != 1 || compensated != 0):
			v.fail("completed: all effects", "%s: done %d times, compensated %d times", name, done, compensated)
		case in.Status == saga.Compensated && v.def.Steps[i].Compensation != "" && done != compensated && v.def.Steps[i].Wait() != saga.WaitForChild:
			v.fail("compensated: no effect is left", "%s: done %d times, compensated %d times", name, done, compensated)
		case in.Status == saga.Compensated && v.def.Steps[i].Kind == saga.Pivot && done > 0 && v.deniedPivot != name:
			v.fail("compensated: the pivot did not happen", "%s", name)
		}
	}
	if in.Status == saga.Abandoned && !v.asked(saga.ActionAbandon) {
		v.fail("abandoned: an operator requested it", "no request")
	}
	if in.Status == saga.Completed {
		v.checkData()
	}
}

// checkData: the data holds the input of the saga and every output.
func (v *sagaCheck) checkData() {
	var data map[string]json.RawMessage
	if err := json.Unmarshal(v.instance.Data, &data); err != nil {
		v.fail("the data holds every output", "%v", err)
		return
	}
	if request, err := strconv.Unquote(`"` + string(data["request"]) + `"`); err != nil || request != v.request {
		v.fail("the data holds the input", "%s", v.instance.Data)
	}
	for i := range v.effects {
		e := &v.effects[i]
		var output map[string]json.RawMessage
		s := &v.steps[v.index(e.step)]
		if s.everSkipped || e.execution != s.execution || e.compensated || json.Unmarshal(e.output, &output) != nil {
			continue
		}
		if !slices.Equal(data[e.step], output[e.step]) {
			v.fail("the data holds every output", "%s returned %s, the data has %s", e.step, e.output, data[e.step])
		}
	}
}
