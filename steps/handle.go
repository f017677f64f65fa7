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

// None is the output of a handler without one.
type None struct{}

// handler is a registered function without its types.
type handler func(ctx context.Context, delivery wire.Delivery) (output json.RawMessage, err error)

// errOutput means that a handler has succeeded, but its output cannot be sent.
var errOutput = errors.New("output cannot be sent")

// Handle registers a function for the commands with this name. A compensation is a command like any other, with a name
// and a handler of its own. The function's context ends at the command's deadline. Its output must encode to a JSON
// object, or to null for none; its top-level members are merged into the saga's data. A command whose output cannot be sent
// took effect nevertheless: its step becomes unknown with the code invalid_output, and is compensated or waits for an operator.
//
// Handle panics if the worker or the function is nil, if the worker already has a handler with this name, or if Out can never
// encode to a JSON object.
func Handle[In, Out any](w *Worker, name string, handle func(context.Context, Command[In]) (Out, error)) {
	given(name, w != nil, "worker")
	given(name, handle != nil, "function")
	decoder := decoderOf(reflect.TypeFor[In]())
	w.register(name, reflect.TypeFor[Out](), func(ctx context.Context, delivery wire.Delivery) (json.RawMessage, error) {
		command, err := typed[In](delivery, decoder)
		if err != nil {
			return nil, err
		}
		output, err := handle(ctx, command)
		if err != nil {
			return nil, err
		}
		return encodeOutput(output)
	})
}

// encodeOutput encodes an output. It returns nil for an empty one.
func encodeOutput(output any) (json.RawMessage, error) {
	content, err := encode(output)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOutput, err)
	}
	if string(content) == "null" || string(content) == "{}" {
		return nil, nil
	}
	if content[0] != '{' {
		return nil, fmt.Errorf("%w: it is not a JSON object", errOutput)
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

// given panics if an argument of Handle, HandleTx or HandleSQL is nil: they return no error, and the caller is to blame.
func given(name string, present bool, what string) {
	if !present {
		panic("steps: handler of " + name + ": the " + what + " is nil")
	}
}

// register adds a handler.
func (w *Worker) register(name string, output reflect.Type, h handler) {
	if name == "" {
		panic("steps: a handler needs a command name")
	}
	if !canBeObject(output) {
		panic(fmt.Sprintf("steps: handler of %s: the output must be a JSON object, and %s never encodes to one", name, output))
	}
	if part := unencodable(output, "", make(map[reflect.Type]bool)); part != "" {
		panic(fmt.Sprintf("steps: handler of %s: the output must encode to JSON, but its %s", name, part))
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
