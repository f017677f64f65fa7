package saga

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
)

// MarshalJSON writes the definition with every default spelled out, so equal definitions give equal bytes. The name and
// the version are not part of it.
func (d *Definition) MarshalJSON() ([]byte, error) {
	shown := definitionJSON{Description: d.Description, Steps: make([]stepJSON, len(d.Steps))}
	if d.Deadline != 0 {
		shown.Deadline = &d.Deadline
	}
	if d.OnFailure != TurnBack { // left out, so that definitions from before it keep their bytes
		shown.OnFailure = d.OnFailure
	}
	shown.Retention, shown.Sensitive = d.Retention.canonical(), d.Sensitive
	shown.DataSchema = d.DataSchema
	for i := range d.Steps {
		shown.Steps[i] = d.Steps[i].canonical()
	}
	return json.Marshal(shown)
}

// canonical leaves out what the step does not use, so that definitions from before it keep their bytes.
func (s *Step) canonical() stepJSON {
	shown := stepJSON{
		Name: s.Name, Queue: s.Queue, Command: s.Command, Compensation: s.Compensation, Signal: s.Signal, Until: s.Until, Saga: s.Saga,
		Kind: s.Kind, After: append([]string{}, s.After...), When: s.When, OutputAs: s.OutputAs, OutputSchema: s.OutputSchema,
	}
	if s.Input != nil {
		shown.Input = &s.Input
	}
	if s.Delay != 0 {
		shown.Delay = &s.Delay
	}
	if s.Timeout != 0 {
		shown.Timeout = &s.Timeout
	}
	if s.Wait() == NoWait {
		shown.Retry = &s.Retry
	}
	if s.Compensation != "" {
		shown.CompensationTimeout, shown.CompensationRetry = &s.CompensationTimeout, &s.CompensationRetry
	}
	return shown
}

// canonicalJSON returns a document without white space and with sorted members; nil stays nil. Numbers keep their spelling.
func canonicalJSON(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return raw
	}
	text, err := EncodeJSON(value)
	if err != nil {
		return raw
	}
	return text
}

// Hash returns the same value for equal definitions: white space, the order of members and spelled-out defaults make no
// difference.
func (d *Definition) Hash() ([sha256.Size]byte, error) {
	canonical, err := d.MarshalJSON()
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("hash definition %s: %w", d.Name, err)
	}
	return sha256.Sum256(canonical), nil
}

type definitionJSON struct {
	Description string         `json:"description,omitempty"`
	Deadline    *Duration      `json:"deadline,omitempty"`
	OnFailure   FailurePolicy  `json:"on_failure,omitempty"`
	Retention   *retentionJSON `json:"retention,omitempty"`
	Sensitive   []Pointer      `json:"sensitive,omitempty"`
	DataSchema  RawSchema      `json:"data_schema,omitempty"`
	Steps       []stepJSON     `json:"steps"`
}

type stepJSON struct {
	Name                string              `json:"name"`
	Queue               string              `json:"queue,omitempty"`
	Command             string              `json:"command,omitempty"`
	Signal              string              `json:"signal,omitempty"`
	Delay               *Duration           `json:"delay,omitempty"`
	Until               Pointer             `json:"until,omitempty"`
	Saga                string              `json:"saga,omitempty"`
	Compensation        string              `json:"compensation,omitempty"`
	Kind                Kind                `json:"kind"`
	After               []string            `json:"after"`
	When                string              `json:"when,omitempty"`
	Input               *map[string]Pointer `json:"input,omitempty"`
	OutputAs            string              `json:"output_as,omitempty"`
	OutputSchema        RawSchema           `json:"output_schema,omitempty"`
	Timeout             *Duration           `json:"timeout,omitempty"`
	Retry               *RetryPolicy        `json:"retry,omitempty"`
	CompensationTimeout *Duration           `json:"compensation_timeout,omitempty"`
	CompensationRetry   *RetryPolicy        `json:"compensation_retry,omitempty"`
}

// orderAfter sorts the After lists by the order of the steps: they are sets.
func (d *Definition) orderAfter() {
	positions := d.positions()
	for i := range d.Steps {
		slices.SortStableFunc(d.Steps[i].After, func(a, b string) int { return cmp.Compare(positions[a], positions[b]) })
	}
}

func sortedSet[Text ~string](texts []Text) []Text {
	if len(texts) == 0 {
		return nil
	}
	sorted := slices.Clone(texts)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
