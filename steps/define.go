package steps

import (
	"context"
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Saga is a definition together with the functions of its steps. T is the saga's data: a struct or a map that encodes to a
// JSON object. From a Saga come the definition (Build), its registration (Register), the workers (Serve) and runs (Run).
//
// A step function gets a pointer to the data. The top-level JSON members that it changes are the output of the step, which
// the orchestrator merges into the saga's data:
//
//   - A member counts as changed if its JSON differs before and after the call. Members that the function leaves alone are
//     not sent, so parallel steps that change different members do not overwrite each other.
//   - A member that the function empties, so that omitempty or omitzero leaves it out, is sent as null. null decodes to the
//     zero value.
//   - Members of the data without a field in T are never sent, and stay.
//   - A struct field reads the member with exactly its name, or else one that differs in case only, and changes the member
//     that it has read: a field Amount without a tag reads and changes the member amount. Nested values follow encoding/json.
//
// A compensation gets the data with the output of its own step, even if that output never reached the orchestrator but is
// known to the barrier. What it changes is not kept.
//
// An error means the same as that of any handler: see Fail, Retry and ErrUnknown. Any other error can be retried.
//
// The command of a step is <saga>.<step> and that of its compensation <saga>.<step>.compensate, unless the options
// saga.CommandName and saga.CompensatedBy say otherwise. The queue is the part of the command before its first dot, unless
// saga.OnQueue says otherwise. All options of package saga apply; only saga.OutputAs does not apply to a step with a
// function.
//
// A step whose function is nil and whose command is given by saga.CommandName is executed by a worker elsewhere, for
// example in another language.
type Saga[T any] struct {
	name    string
	builder *saga.Builder
	steps   []stepFunctions[T]
}

// stepFunctions are the functions of one step; nil: none.
type stepFunctions[T any] struct {
	name                string
	wait                bool
	execute, compensate *function[T]
}

// function is a function of a step in one of its three forms.
type function[T any] struct {
	plain func(context.Context, *T) error
	inTx  func(context.Context, pgx.Tx, *T) error
	inSQL func(context.Context, SQLTx, *T) error
}

// Define returns an empty saga. Its faults, also those of the steps, are reported by Build and by every method that needs
// the definition.
func Define[T any](name string) *Saga[T] { return &Saga[T]{name: name, builder: saga.New(name)} }

// Name returns the name of the definition.
func (s *Saga[T]) Name() string { return s.name }

// Describe sets the description of the saga, for operators.
func (s *Saga[T]) Describe(description string) *Saga[T] {
	s.builder.Describe(description)
	return s
}

// Deadline limits the time from the start of a saga to the success of its pivot. A saga that passes it compensates.
func (s *Saga[T]) Deadline(limit time.Duration) *Saga[T] {
	s.builder.Deadline(limit)
	return s
}

// OnFailure sets what a final failure before the pivot, or of the pivot, leads to. The default is saga.TurnBack.
func (s *Saga[T]) OnFailure(policy saga.FailurePolicy) *Saga[T] {
	s.builder.OnFailure(policy)
	return s
}

// Retain sets how long finished sagas are kept. By default the server decides.
func (s *Saga[T]) Retain(retention saga.Retention) *Saga[T] {
	s.builder.Retain(retention)
	return s
}

// Sensitive marks members of the data by JSON pointers, as saga.Builder.Sensitive does.
func (s *Saga[T]) Sensitive(pointers ...saga.Pointer) *Saga[T] {
	s.builder.Sensitive(pointers...)
	return s
}

// DataSchema sets the JSON Schema (2020-12) of the data that a saga starts with.
func (s *Saga[T]) DataSchema(schema json.RawMessage) *Saga[T] {
	s.builder.DataSchema(schema)
	return s
}

// Build returns the definition. The error is of type saga.Faults and lists every fault.
func (s *Saga[T]) Build() (*saga.Definition, error) {
	definition, err := s.builder.Build()
	if err != nil {
		return nil, err
	}
	if faults := s.check(definition); len(faults) > 0 {
		return nil, faults
	}
	return definition, nil
}

// MustBuild is like Build but panics on a fault.
func (s *Saga[T]) MustBuild() *saga.Definition {
	definition, err := s.Build()
	if err != nil {
		panic(err)
	}
	return definition
}

// check finds what the definition does not show: the type of the data, and functions that cannot be called.
func (s *Saga[T]) check(definition *saga.Definition) (faults saga.Faults) {
	if data := reflect.TypeFor[T](); data.Kind() == reflect.Pointer || data.Kind() == reflect.Interface || !canBeObject(data) {
		faults = append(faults, saga.Fault{Message: "the data of a typed saga must be a struct or a map, not " + data.String()})
	} else if part := unencodable(data, "", make(map[reflect.Type]bool)); part != "" {
		faults = append(faults, saga.Fault{Message: "the data of a typed saga must encode to JSON, but its " + part})
	}
	owners := make(map[string]string)
	for i, own := range s.steps {
		step, at := &definition.Steps[i], "/steps/"+strconv.Itoa(i)
		if own.execute == nil && !own.wait && step.Command == s.command(own.name) {
			faults = append(faults, saga.Fault{Pointer: at, Message: "has no function; saga.CommandName names the command of a worker elsewhere"})
		}
		if own.execute != nil && step.OutputAs != "" {
			faults = append(faults, saga.Fault{Pointer: at + "/output_as", Message: "is not for a step with a function, which changes the members that it names"})
		}
		for _, command := range s.commandsOf(i, step) {
			if owners[command.name] != "" {
				faults = append(faults, saga.Fault{Pointer: at, Message: "has the command " + command.name + ", which has a function of " + owners[command.name]})
			}
			owners[command.name] = "step " + own.name
		}
	}
	return faults
}

// named is a command with its function.
type named[T any] struct {
	name string
	call *function[T]
}

// commandsOf returns the commands of a step that have a function.
func (s *Saga[T]) commandsOf(i int, step *saga.Step) (commands []named[T]) {
	if call := s.steps[i].execute; call != nil {
		commands = append(commands, named[T]{step.Command, call})
	}
	if call := s.steps[i].compensate; call != nil {
		commands = append(commands, named[T]{step.Compensation, call})
	}
	return commands
}

// command returns the default command of a step.
func (s *Saga[T]) command(step string) string { return s.name + "." + step }
