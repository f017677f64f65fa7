package ui

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// member is a top-level member of a saga's data.
type member struct {
	Name  string
	Value json.RawMessage
	Shown string // as much of the value as the view holds
	From  string // what set it: start, operator, or the name of a step
	Step  bool   // From is a step
}

// object is a JSON object whose values stay as they are.
type object map[string]json.RawMessage

func objectOf(raw json.RawMessage) object {
	var found object
	if json.Unmarshal(raw, &found) != nil {
		return object{}
	}
	return found
}

// outcome is a step that has an output.
type outcome struct {
	step   string
	at     time.Time
	output object
}

// finished returns the steps that have an output, in the order in which they finished.
func finished(steps []resource.SagaStep) (done []outcome) {
	for _, step := range steps {
		output := objectOf(step.Output)
		if step.OutputAs != "" && len(step.Output) > 0 {
			output = object{string(step.OutputAs): step.Output}
		}
		if len(output) > 0 && step.FinishedAt != nil {
			done = append(done, outcome{step.Name, step.FinishedAt.Time, output})
		}
	}
	slices.SortStableFunc(done, func(a, b outcome) int { return a.at.Compare(b.at) })
	return done
}

// membersOf returns the members of a saga's data, with what set each of them last.
func membersOf(data object, done []outcome, history []resource.HistoryEntry) []member {
	from, last := make(map[string]string), make(map[string]json.RawMessage)
	for _, o := range done {
		for name, value := range o.output {
			from[name], last[name] = o.step, value
		}
	}
	patched := slices.ContainsFunc(history, func(e resource.HistoryEntry) bool { return e.Type == saga.EntryDataPatched })
	listed := make([]member, 0, len(data))
	for _, name := range slices.Sorted(maps.Keys(data)) {
		m := member{Name: name, Value: data[name], From: from[name], Step: from[name] != ""}
		switch {
		case m.Step && patched && !sameJSON(last[name], m.Value):
			m.From, m.Step = "an operator", false
		case !m.Step && patched:
			m.From = "start or operator"
		case !m.Step:
			m.From = "start"
		}
		listed = append(listed, m)
	}
	return listed
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// change is what a step's output did to a member of the data.
type change struct {
	Name   string
	Value  json.RawMessage
	Before json.RawMessage // nil: the member was not there, or its value is not known
	Added  bool

	Shown, ShownBefore string // as much of the values as the view holds
}

// changesOf returns what the output of each step changed in the data, by step. The values before are those of earlier
// outputs: the history does not keep the data itself.
func changesOf(done []outcome) map[string][]change {
	changes, known := make(map[string][]change), make(object)
	for _, o := range done {
		for _, name := range slices.Sorted(maps.Keys(o.output)) {
			before, had := known[name]
			changes[o.step] = append(changes[o.step], change{Name: name, Value: o.output[name], Before: before, Added: !had})
			known[name] = o.output[name]
		}
	}
	return changes
}

// inputOf returns the data that a step's command carried: what the saga started with, and the outputs of the steps that had
// finished. patched means that an operator has changed the data since. lacking names the members that this step or later
// ones set first: the saga may have started with other values, which are not kept.
func inputOf(
	data object, done []outcome, step resource.SagaStep, history []resource.HistoryEntry,
) (input object, patched bool, lacking []string) {
	if step.StartedAt == nil {
		return nil, false, nil
	}
	input = maps.Clone(data)
	earlier := make(object)
	for _, o := range done {
		if o.step != step.Name && !o.at.After(step.StartedAt.Time) {
			maps.Copy(earlier, o.output)
		}
	}
	for _, o := range done {
		if o.step != step.Name && !o.at.After(step.StartedAt.Time) {
			continue
		}
		for name := range o.output {
			if before, known := earlier[name]; known {
				input[name] = before
				continue
			}
			delete(input, name)
			lacking = append(lacking, name)
		}
	}
	for _, entry := range history {
		if entry.Type == saga.EntryDataPatched && entry.At.After(step.StartedAt.Time) {
			patched = true
		}
	}
	slices.Sort(lacking)
	return input, patched, slices.Compact(lacking)
}

// mergePatch returns the JSON merge patch (RFC 7396) that turns one document into another. ok is false if none can: a patch
// cannot set a member to null.
func mergePatch(from, to object) (patch object, ok bool) {
	patch = make(object)
	for name := range from {
		if _, kept := to[name]; !kept {
			patch[name] = json.RawMessage("null")
		}
	}
	for name, value := range to {
		before, had := from[name]
		if had && sameJSON(before, value) {
			continue
		}
		if string(bytes.TrimSpace(value)) == "null" {
			return nil, false
		}
		inner, isObject := asObject(value)
		if !isObject {
			patch[name] = value
			continue
		}
		outer, _ := asObject(before)
		if outer == nil {
			outer = object{}
		}
		nested, fine := mergePatch(outer, inner)
		if !fine {
			return nil, false
		}
		patch[name], _ = json.Marshal(nested) // an object of valid JSON
	}
	return patch, true
}

func asObject(raw json.RawMessage) (object, bool) {
	var found object
	if len(raw) == 0 || json.Unmarshal(raw, &found) != nil || found == nil {
		return nil, false
	}
	return found, true
}
