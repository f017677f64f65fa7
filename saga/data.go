package saga

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// Limits of the JSON that a saga holds, in bytes.
const (
	MaxDataBytes    = 1 << 20 // the data, with the outputs of all steps merged in
	MaxInputBytes   = 4 << 20 // the part of the data that a command gets; that of a child is bounded by MaxDataBytes
	MaxOutputsBytes = 4 << 20 // the outputs of all steps together; each is kept for the compensation of its step
)

// takeOutput returns the data of the saga with the output of step i merged in, or the reason why it cannot be merged.
func (t *transition) takeOutput(i int, r Reply) (json.RawMessage, *ReplyError) {
	if r.OutputFault != "" {
		return nil, &ReplyError{Code: CodeInvalidOutput, Message: r.OutputFault}
	}
	if fault := t.checkOutput(i, r.Output); fault != "" {
		return nil, &ReplyError{Code: CodeInvalidOutput, Message: fault}
	}
	merged, fits := t.mergeOutput(i, r.Output)
	switch {
	case !fits:
		message := fmt.Sprintf("the saga's data would exceed its limit of %d bytes with the step's output", MaxDataBytes)
		return nil, &ReplyError{Code: CodeDataTooLarge, Message: message}
	case t.outputsBeside(i)+len(r.Output) > MaxOutputsBytes:
		message := fmt.Sprintf("the outputs of the saga's steps would exceed their limit of %d bytes together", MaxOutputsBytes)
		return nil, &ReplyError{Code: CodeDataTooLarge, Message: message}
	default:
		return merged, nil
	}
}

// outputsBeside returns the size of the outputs of all other steps.
func (t *transition) outputsBeside(i int) int {
	total := 0
	for j := range t.next.Steps {
		if j != i {
			total += len(t.next.Steps[j].Output)
			if given := t.next.Steps[j].Signal; given != nil {
				total += len(given.Output)
			}
		}
	}
	return total
}

// mergeOutput merges the output of step i into the data: its top-level members, or all of it under the name that the
// definition gives. It returns false if the result is too large.
func (t *transition) mergeOutput(i int, output json.RawMessage) (json.RawMessage, bool) {
	if len(output) == 0 {
		return t.next.Data, true
	}
	if name := t.def.Steps[i].OutputAs; name != "" {
		output = rawjson.AppendObject(nil, map[string]json.RawMessage{name: output})
	}
	merged := merge(t.next.Data, output, false)
	return merged, t.fits(merged)
}

// fits reports whether the data stays within its limit, also with the patch of a rewind that is not merged yet.
func (t *transition) fits(data json.RawMessage) bool {
	if rewind := t.next.Rewind; rewind != nil && rewind.Patch != nil && len(merge(data, rewind.Patch, true)) > MaxDataBytes {
		return false
	}
	return len(data) <= MaxDataBytes
}

// merge puts the members of patch into target; both must be valid JSON. A deep merge is a JSON merge patch (RFC 7396);
// a shallow one replaces whole members. Numbers and strings keep their spelling. A target that is not an object counts
// as empty.
func merge(target, patch json.RawMessage, deep bool) json.RawMessage {
	changes := members(patch)
	if changes == nil {
		return patch
	}
	merged := members(target)
	if merged == nil {
		merged = make(map[string]json.RawMessage, len(changes))
	}
	for name, value := range changes {
		switch {
		case !deep:
			merged[name] = value
		case isNull(value):
			delete(merged, name)
		default:
			merged[name] = merge(merged[name], value, true)
		}
	}
	return rawjson.AppendObject(make([]byte, 0, len(target)+len(patch)), merged)
}

// members returns the members of a JSON object, or nil for any other value.
func members(raw json.RawMessage) map[string]json.RawMessage {
	list, ok := rawjson.Members(raw)
	if !ok {
		return nil
	}
	found := make(map[string]json.RawMessage, len(list))
	for _, member := range list {
		found[member.Name] = member.Value
	}
	return found
}

// EncodeJSON is json.Marshal without the escapes for HTML, so user data leaves the orchestrator as it came.
func EncodeJSON(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
