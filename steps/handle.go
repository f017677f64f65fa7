package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// None is the output of a handler that has none.
type None struct{}

// handler is what the worker calls, whatever the types of the function behind it.
type handler func(ctx context.Context, delivery wire.Delivery) (output json.RawMessage, err error)

// errOutput says that a handler's output cannot be sent.
var errOutput = errors.New("output cannot be sent")

// Handle registers a function for the commands of that name. Compensations are commands like any other: they have names
// and handlers of their own. The function's context ends at the command's deadline. Its output must encode to a JSON
// object, or to null for none.
//
// Handle panics when the worker has a handler of that name already, or when Out can never be a JSON object: both are
// slips of the program that no command should be the first to find.
func Handle[In, Out any](w *Worker, name string, handle func(context.Context, Command[In]) (Out, error)) {
	w.register(name, reflect.TypeFor[Out](), func(ctx context.Context, delivery wire.Delivery) (json.RawMessage, error) {
		command, err := typed[In](delivery)
		if err != nil {
			return nil, err
		}
		output, err := handle(ctx, command)
		if err != nil {
			return nil, err
		}
		encoded, err := encodeOutput(output)
		if err != nil {
			// The handler has done its work. To say that it failed would tell the orchestrator that there is nothing
			// to compensate.
			return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		return encoded, nil
	})
}

// encodeOutput returns nil for an output that is none.
func encodeOutput(output any) (json.RawMessage, error) {
	content, err := saga.EncodeJSON(output)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOutput, err)
	}
	if string(content) == "null" || string(content) == "{}" {
		return nil, nil
	}
	if content[0] != '{' {
		return nil, fmt.Errorf("%w: it is no JSON object", errOutput)
	}
	if err := saga.CheckJSON(content, saga.DefaultJSONLimits()); err != nil {
		return nil, fmt.Errorf("%w: %w", errOutput, err)
	}
	reply, err := wire.Succeeded(content).Encode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOutput, err)
	}
	if len(reply) > wire.MaxReplyBytes {
		return nil, fmt.Errorf("%w: its reply has %d bytes, the limit is %d", errOutput, len(reply), wire.MaxReplyBytes)
	}
	return content, nil
}

// register adds a handler, once for each name.
func (w *Worker) register(name string, output reflect.Type, h handler) {
	if name == "" {
		panic("steps: a handler needs the name of a command")
	}
	if !canBeObject(output) {
		panic(fmt.Sprintf("steps: handler of %s: the output is a JSON object, which %s can never be", name, output))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handlers[name] != nil {
		panic("steps: two handlers for " + name)
	}
	w.handlers[name] = h
}

func canBeObject(t reflect.Type) bool {
	if t.Implements(reflect.TypeFor[json.Marshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Interface:
		return true
	case reflect.Pointer:
		return canBeObject(t.Elem())
	default:
		return false
	}
}
