package ui

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// member is a top-level member of a saga's data.
type member struct {
	Name  string
	Value json.RawMessage
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

// finished returns the steps that have an output, in the order in which they finished.
func finished(steps []resource.SagaStep) []resource.SagaStep {
	done := slices.DeleteFunc(slices.Clone(steps), func(s resource.SagaStep) bool {
		return len(objectOf(s.Output)) == 0 || s.FinishedAt == nil
	})
	slices.SortStableFunc(done, func(a, b resource.SagaStep) int { return a.FinishedAt.Compare(b.FinishedAt.Time) })
	return done
}

// membersOf returns the members of a saga's data, with what set each of them last.
func membersOf(s resource.Saga, history []resource.HistoryEntry) []member {
	data, from, last := objectOf(s.Data), make(map[string]string), make(map[string]json.RawMessage)
	for _, step := range finished(s.Steps) {
		for name, value := range objectOf(step.Output) {
			from[name], last[name] = step.Name, value
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
}

// changesOf returns what the output of each step changed in the data, by step. The values before are those of earlier
// outputs: the history does not keep the data itself.
func changesOf(s resource.Saga) map[string][]change {
	changes, known := make(map[string][]change), make(object)
	for _, step := range finished(s.Steps) {
		output := objectOf(step.Output)
		for _, name := range slices.Sorted(maps.Keys(output)) {
			before, had := known[name]
			changes[step.Name] = append(changes[step.Name], change{Name: name, Value: output[name], Before: before, Added: !had})
			known[name] = output[name]
		}
	}
	return changes
}

// inputOf returns the data that a step's command carried: what the saga started with, and the outputs of the steps that had
// finished. complete is false if a later change hides a value.
func inputOf(s resource.Saga, step resource.SagaStep, history []resource.HistoryEntry) (input object, complete bool) {
	if step.StartedAt == nil {
		return nil, true
	}
	input, complete = objectOf(s.Data), true
	earlier, later := make(object), make(object)
	for _, other := range finished(s.Steps) {
		outputs := earlier
		if other.Name == step.Name || other.FinishedAt.After(step.StartedAt.Time) {
			outputs = later
		}
		maps.Copy(outputs, objectOf(other.Output))
	}
	for name := range later {
		delete(input, name)
	}
	for name, value := range earlier {
		if _, overwritten := later[name]; overwritten {
			input[name] = value
		}
	}
	for _, entry := range history {
		if entry.Type == saga.EntryDataPatched && entry.At.After(step.StartedAt.Time) {
			complete = false
		}
	}
	return input, complete
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
