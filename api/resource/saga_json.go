package resource

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// AppendJSON returns the JSON of the saga, as encoding/json encodes it. It copies the data and the outputs, which may be large,
// instead of parsing them again.
//
// The members are first encoded as null. Their places are then found by their text: no string holds it, because a quote
// within a string is escaped.
func (s Saga) AppendJSON() ([]byte, error) {
	const data, output = `"data":null`, `"output":null`
	size := len(s.Data)
	documents := []json.RawMessage{s.Data}
	markers := []string{data}
	s.Steps = slices.Clone(s.Steps)
	for i := range s.Steps {
		step := &s.Steps[i]
		size += len(step.Output)
		documents, markers = append(documents, step.Output), append(markers, output)
		step.Output = nil
	}
	s.Data = nil
	rest, err := saga.EncodeJSON(s)
	if err != nil {
		return nil, err
	}
	text := make([]byte, 0, len(rest)+size)
	for i, document := range documents {
		at := bytes.Index(rest, []byte(markers[i])) + len(markers[i])
		text, rest = append(text, rest[:at]...), rest[at:]
		if len(document) > 0 {
			text = rawjson.AppendCompact(text[:len(text)-len("null")], document)
		}
	}
	return append(text, rest...), nil
}
