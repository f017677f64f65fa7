package sim

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// judgeSuccess: what the saga takes for done was done by then, and is taken for done once.
func (v *verdict) judgeSuccess(entry *saga.Entry, i int) {
	s := &v.steps[i]
	s.out, s.succeeded = false, true
	s.successes++
	if s.successes > 1 {
		v.fail("a step succeeds once", "%s", entry.Step)
	}
	if done, _ := v.count(entry.Step, entry.At); done == 0 {
		v.fail("a success had an effect", "%s", entry.Step)
	}
}

// judgeUndone: what the saga takes for undone was undone by then, or had never happened.
func (v *verdict) judgeUndone(entry *saga.Entry, _ int) {
	if done, undone := v.count(entry.Step, entry.At); done != undone && !v.contradicted[entry.Step] {
		v.fail("what is compensated is undone", "%s: done %d times, undone %d times", entry.Step, done, undone)
	}
}

// count is how often services had done and undone a step by that time.
func (v *verdict) count(step string, by time.Time) (done, undone int) {
	for i := range v.effects {
		switch e := &v.effects[i]; {
		case e.step != step || e.at.After(by):
		case e.undone:
			undone++
		default:
			done++
		}
	}
	return done, undone
}

// judgeServices: effects happen once, in the order of the graph, and are undone in reverse.
func (v *verdict) judgeServices() {
	done := make(map[string]bool, len(v.effects))
	undone := make(map[string]bool)
	keys := make(map[string]bool, len(v.effects))
	for i := range v.effects {
		e := &v.effects[i]
		if keys[e.key] {
			v.fail("an idempotency key has one effect", "%s", e.key)
		}
		keys[e.key] = true
		if e.undone {
			v.judgeUndo(e.step, done, undone)
			undone[e.step] = true
			continue
		}
		if done[e.step] {
			v.fail("a step is done once", "%s", e.step)
		}
		v.judgeDone(v.index(e.step), done, undone)
		done[e.step] = true
	}
}

// judgeDone: a step is done on top of what it comes after. Nothing keeps a command from coming late where there is no
// compensation to leave a tombstone; the saga must then have said that it does not know.
func (v *verdict) judgeDone(i int, done, undone map[string]bool) {
	step := &v.plan.Steps[i]
	late := step.Compensation == "" && v.steps[i].unknown
	for _, before := range step.After {
		missing := !done[before] || undone[before] && !late
		if missing && !v.steps[v.index(before)].skipped && !v.excused(i) {
			v.fail("a step is done after its predecessors", "%s without %s", step.Name, before)
		}
	}
}

func (v *verdict) judgeUndo(step string, done, undone map[string]bool) {
	if !done[step] || undone[step] {
		v.fail("what is done is undone once", "%s", step)
	}
	i := v.index(step)
	for j := range v.plan.Steps {
		later := v.plan.Steps[j].Name
		open := done[later] && !undone[later] && v.plan.Steps[j].Compensation != ""
		if open && v.follows(j, i) && !v.excused(j) {
			v.fail("services undo in reverse", "%s before %s", step, later)
		}
	}
}

// excused says whether a step's state is known to be a matter of people, or of a service that has said two things.
func (v *verdict) excused(i int) bool {
	name := v.plan.Steps[i].Name
	return v.steps[i].skipped || v.contradicted[name] || v.lateSteps[name]
}

// judgeHeard: a success that was acknowledged is in the history. That of a compensation which is being done once more
// says nothing: it may have come too early.
func (v *verdict) judgeHeard() {
	for _, said := range v.heard {
		i := v.index(said.step)
		s := &v.steps[i]
		known := said.round == 0 && s.succeeded || said.round > 0 && (s.undoneOnce || said.round < s.rounds)
		if !known && !v.excused(i) {
			v.fail("a reply is acknowledged when it is stored", "%s, round %d", said.step, said.round)
		}
	}
}

// judgeEnd: all forward effects, or all undone, or a person was called.
func (v *verdict) judgeEnd() {
	in := &v.instance
	ends := map[saga.Status]saga.EntryType{
		saga.Completed: saga.EntryCompleted, saga.Compensated: saga.EntryCompensated, saga.Abandoned: saga.EntryAbandoned,
	}
	if v.ended != ends[in.Status] {
		v.fail("status and history agree", "%s, and the history ends with %q", in.Status, v.ended)
	}
	end := time.Unix(1<<40, 0)
	for i := range v.plan.Steps {
		name := v.plan.Steps[i].Name
		done, undone := v.count(name, end)
		switch {
		case v.excused(i):
		case in.Status == saga.Completed && (done != 1 || undone != 0):
			v.fail("completed: all forward effects", "%s: done %d times, undone %d times", name, done, undone)
		case in.Status == saga.Compensated && v.plan.Steps[i].Compensation != "" && done != undone:
			v.fail("compensated: all undone", "%s: done %d times, undone %d times", name, done, undone)
		case in.Status == saga.Compensated && v.plan.Steps[i].Kind == saga.Pivot && done > 0 && v.notTaken != name:
			v.fail("compensated: the pivot did not happen", "%s", name)
		}
	}
	if in.Status == saga.Abandoned && !v.asked(saga.ActionAbandon) {
		v.fail("abandoned: a person wanted it", "nobody has")
	}
	if in.Status == saga.Completed {
		v.judgeData()
	}
}

// judgeData: what the steps gave is in the saga's data, and so is what it began with.
func (v *verdict) judgeData() {
	var data map[string]json.RawMessage
	if err := json.Unmarshal(v.instance.Data, &data); err != nil {
		v.fail("the data holds every output", "%v", err)
		return
	}
	if request, err := strconv.Unquote(`"` + string(data["request"]) + `"`); err != nil || request != v.request {
		v.fail("the data holds what the saga began with", "%s", v.instance.Data)
	}
	for i := range v.effects {
		e := &v.effects[i]
		var output map[string]json.RawMessage
		skipped := v.steps[v.index(e.step)].skipped
		if skipped || e.undone || json.Unmarshal(e.output, &output) != nil {
			continue
		}
		if !slices.Equal(data[e.step], output[e.step]) {
			v.fail("the data holds every output", "%s gave %s, there is %s", e.step, e.output, data[e.step])
		}
	}
}
