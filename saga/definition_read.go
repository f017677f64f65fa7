package saga

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// definitionLimits allows a definition more members than other input.
func definitionLimits() JSONLimits {
	limits := DefaultJSONLimits()
	limits.Members = 100_000
	return limits
}

// ParseDefinition reads a definition from its JSON form, checks it and fills in the defaults. The error is of type
// Faults and lists every fault with its JSON pointer.
func ParseDefinition(name string, version int, body []byte) (*Definition, error) {
	if err := CheckJSON(body, definitionLimits()); err != nil {
		return nil, Faults{{Message: err.Error()}}
	}
	read := definitionReader{}
	given := read.definition(body)
	return given.build(name, version, read.faults)
}

// definitionReader reads a definition member by member. So each fault has its JSON pointer, names are case-sensitive,
// and one fault does not hide the next.
type definitionReader struct {
	faults  Faults
	lenient bool // unknown members are ignored
}

func (r *definitionReader) definition(raw json.RawMessage) draft {
	var given draft
	members := r.object("", raw, "description", "deadline", "on_failure", "retention", "sensitive", "data_schema", "steps")
	read(r, "/description", members["description"], "a string", &given.description)
	read(r, "/on_failure", members["on_failure"], "a string", &given.onFailure)
	given.retention = r.retention(members["retention"])
	given.sensitive = r.sensitive(members["sensitive"])
	given.dataSchema = r.schema("/data_schema", members["data_schema"])
	given.deadline = optionalDuration(r, "/deadline", members["deadline"])
	var steps []json.RawMessage
	read(r, "/steps", members["steps"], "an array of steps", &steps)
	most := MaxSteps
	if r.lenient {
		most = maxStoredSteps
	}
	for i, step := range steps[:min(len(steps), most+1)] { // one too many is a fault already
		given.steps = append(given.steps, r.step("/steps/"+strconv.Itoa(i), step))
	}
	return given
}

func (r *definitionReader) step(at string, raw json.RawMessage) draftStep {
	var step draftStep
	members := r.object(at, raw, "name", "command", "compensation", "queue", "kind", "after", "timeout", "retry",
		"compensation_timeout", "compensation_retry", "signal", "delay", "until", "saga", "when", "input", "output_as", "output_schema")
	read(r, at+"/name", members["name"], "a string", &step.name)
	read(r, at+"/command", members["command"], "a string", &step.command)
	read(r, at+"/compensation", members["compensation"], "a string", &step.compensation)
	read(r, at+"/queue", members["queue"], "a string", &step.queue)
	read(r, at+"/kind", members["kind"], "a string", &step.kind)
	read(r, at+"/after", members["after"], "an array of step names", &step.after)
	step.timeout = optionalDuration(r, at+"/timeout", members["timeout"])
	step.compensationTimeout = optionalDuration(r, at+"/compensation_timeout", members["compensation_timeout"])
	step.retry = r.policy(at+"/retry", members["retry"])
	step.compensationRetry = r.policy(at+"/compensation_retry", members["compensation_retry"])
	step.draftWait = r.wait(at, members)
	return step
}

func (r *definitionReader) wait(at string, members map[string]json.RawMessage) (wait draftWait) {
	read(r, at+"/signal", members["signal"], "a string", &wait.signal)
	wait.delay = optionalDuration(r, at+"/delay", members["delay"])
	read(r, at+"/until", members["until"], "a JSON pointer", &wait.until)
	read(r, at+"/saga", members["saga"], "a string", &wait.saga)
	read(r, at+"/when", members["when"], "a CEL expression", &wait.when)
	read(r, at+"/input", members["input"], "an object of JSON pointers", &wait.input)
	read(r, at+"/output_as", members["output_as"], "a string", &wait.outputAs)
	wait.outputSchema = r.schema(at+"/output_schema", members["output_schema"])
	return wait
}

func (r *definitionReader) schema(at string, raw json.RawMessage) RawSchema {
	switch {
	case isNull(raw):
		return nil
	case firstByte(raw) != '{' && string(bytes.TrimSpace(raw)) != "true" && string(bytes.TrimSpace(raw)) != "false":
		r.faults.add(at, "must be a JSON Schema: an object, true or false")
		return nil
	default:
		return raw
	}
}

func (r *definitionReader) policy(at string, raw json.RawMessage) draftPolicy {
	var policy draftPolicy
	if isNull(raw) {
		return policy
	}
	members := r.object(at, raw, "max_attempts", "initial_interval", "multiplier", "max_interval", "jitter",
		"non_retryable")
	read(r, at+"/max_attempts", members["max_attempts"], "a whole number", &policy.maxAttempts)
	read(r, at+"/multiplier", members["multiplier"], "a number", &policy.multiplier)
	read(r, at+"/jitter", members["jitter"], "a number", &policy.jitter)
	read(r, at+"/non_retryable", members["non_retryable"], "an array of error codes", &policy.nonRetryable)
	policy.initialInterval = optionalDuration(r, at+"/initial_interval", members["initial_interval"])
	policy.maxInterval = optionalDuration(r, at+"/max_interval", members["max_interval"])
	return policy
}

// object returns the members of an object. Unknown members are faults, unless the reader is lenient.
func (r *definitionReader) object(at string, raw json.RawMessage, known ...string) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		r.faults.add(at, "must be an object")
		return nil
	}
	if r.lenient {
		return members
	}
	for _, name := range sortedNames(members) {
		if !slices.Contains(known, name) {
			r.faults.add(at+"/"+escapePointer(name), "is not a known field")
		}
	}
	return members
}

// read decodes a member if it is present; null counts as absent.
func read[T any](r *definitionReader, at string, raw json.RawMessage, want string, into *T) {
	if isNull(raw) {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		r.faults.add(at, "must be %s", want)
	}
}

func optionalDuration(r *definitionReader, at string, raw json.RawMessage) *Duration {
	if isNull(raw) {
		return nil
	}
	var given Duration
	if err := json.Unmarshal(raw, &given); err != nil {
		r.faults.add(at, `must be a duration such as "30s"`)
		return nil
	}
	return &given
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}

func sortedNames(members map[string]json.RawMessage) []string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// escapePointer writes a member name as a token of a JSON pointer (RFC 6901), shortened for messages.
func escapePointer(name string) string {
	if len(name) > 64 {
		name = string([]rune(name)[:16]) + "…"
	}
	return PointerToken(name)
}
