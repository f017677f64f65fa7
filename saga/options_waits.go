package saga

import (
	"encoding/json"
	"maps"
	"time"
)

// WaitForSignal adds a step that waits until the signal is given (client.Signal). Its output is the step's. The option
// Timeout limits the wait; by default it is unlimited.
func (b *Builder) WaitForSignal(name, signal string, options ...StepOption) *Builder {
	return b.add(Compensatable, name, "", append([]StepOption{func(s *draftStep) { s.signal = &signal }}, options...))
}

// Delay adds a step that succeeds after a time.
func (b *Builder) Delay(name string, wait time.Duration, options ...StepOption) *Builder {
	return b.add(Compensatable, name, "", append([]StepOption{func(s *draftStep) { s.delay = new(Duration(wait)) }}, options...))
}

// WaitUntil adds a step that succeeds at the RFC 3339 time that the data has at the JSON pointer.
func (b *Builder) WaitUntil(name string, pointer Pointer, options ...StepOption) *Builder {
	return b.add(Compensatable, name, "", append([]StepOption{func(s *draftStep) { s.until = &pointer }}, options...))
}

// Child adds a step that starts a saga of the named definition, and succeeds with its data when that completes. It is compensated
// by compensating the child.
func (b *Builder) Child(name, definition string, options ...StepOption) *Builder {
	return b.add(Compensatable, name, "", append([]StepOption{func(s *draftStep) { s.saga = &definition }}, options...))
}

// DataSchema sets the JSON Schema (2020-12) of the data that a saga starts with. The server compiles it at registration.
func (b *Builder) DataSchema(schema json.RawMessage) *Builder {
	b.draft.dataSchema = schema
	return b
}

// AsKind sets the kind of a step that waits. The default is Compensatable.
func AsKind(kind Kind) StepOption { return func(s *draftStep) { s.kind = &kind } }

// When skips the step if the CEL expression over data is false when its turn comes. The server compiles it at
// registration.
func When(condition string) StepOption { return func(s *draftStep) { s.when = &condition } }

// Input selects what the commands of the step get of the data: names to JSON pointers. By default they get all of it.
func Input(members map[string]Pointer) StepOption {
	return func(s *draftStep) { s.input = maps.Clone(members) }
}

// OutputAs puts the output of the step under one member of the data. By default its members are merged at the top.
func OutputAs(member string) StepOption { return func(s *draftStep) { s.outputAs = &member } }

// OutputSchema sets the JSON Schema (2020-12) of the step's output. The server compiles it at registration.
func OutputSchema(schema json.RawMessage) StepOption {
	return func(s *draftStep) { s.outputSchema = schema }
}
