package steps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// commandKey is the key of a command in the context of a step function.
type commandKey struct{}

// CommandOf returns the command that a function of a Saga handles: its IdempotencyKey, Attempt, SagaID and more. ctx is the
// context that the function got; ok is false for any other.
func CommandOf(ctx context.Context) (command Command[json.RawMessage], ok bool) {
	command, ok = ctx.Value(commandKey{}).(Command[json.RawMessage])
	return command, ok
}

// invoke calls a function with the data of a command, and returns the members that it changed. outputAs is where the
// definition puts the output of the step.
func invoke[T any](
	ctx context.Context, command Command[json.RawMessage], decoder decoder, outputAs string, call func(context.Context, *T) error,
) (output json.RawMessage, err error) {
	raw := command.RawData
	if raw == nil {
		raw = json.RawMessage("{}")
	}
	if command.Output != nil {
		raw, err = withOutput(raw, command.Output, outputAs)
		if err != nil {
			return nil, Fail(CodeInvalidData, err.Error())
		}
	}
	var data T
	if err := decoder.decode(raw, &data); err != nil {
		return nil, Fail(CodeInvalidData, err.Error())
	}
	before, err := membersOf(&data)
	if err != nil {
		return nil, Fail(CodeInvalidData, err.Error())
	}
	if err := call(context.WithValue(ctx, commandKey{}, command), &data); err != nil {
		return nil, err
	}
	if command.Action == saga.Compensate {
		return nil, nil
	}
	return changes(before, &data, decoder.spelling(raw))
}

// withOutput puts the output of a step into the data, as the orchestrator merges it.
func withOutput(data, output json.RawMessage, outputAs string) (json.RawMessage, error) {
	merged, err := textsOf(data)
	if err != nil {
		return nil, fmt.Errorf("the data of the saga: %w", err)
	}
	if outputAs != "" {
		merged[outputAs] = output
		return rawjson.AppendObject(nil, merged), nil
	}
	members, err := textsOf(output)
	if err != nil {
		return nil, fmt.Errorf("the output of the step: %w", err)
	}
	maps.Copy(merged, members)
	return rawjson.AppendObject(nil, merged), nil
}

// textsOf returns the members of an object by name.
func textsOf(object json.RawMessage) (map[string]json.RawMessage, error) {
	list, ok := rawjson.Members(object)
	if !ok {
		return nil, errors.New("want a JSON object")
	}
	texts := make(map[string]json.RawMessage, len(list))
	for _, member := range list {
		texts[member.Name] = member.Value
	}
	return texts, nil
}

// membersOf returns the top-level members of a value's JSON.
func membersOf(value any) (map[string]json.RawMessage, error) {
	content, err := encode(value)
	if err != nil {
		return nil, fmt.Errorf("encode the data: %w", err)
	}
	members, err := textsOf(content)
	if err != nil {
		return nil, fmt.Errorf("encode the data: %w", err)
	}
	return members, nil
}

// changes returns the members of the data that differ from before, those that are gone as null; nil if there are none. spelling has
// the names of members that the data spells in another way.
func changes(before map[string]json.RawMessage, data any, spelling map[string]string) (json.RawMessage, error) {
	after, err := membersOf(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOutput, err)
	}
	changed := make(map[string]json.RawMessage)
	for name, value := range after {
		if was, existed := before[name]; !existed || !bytes.Equal(was, value) {
			changed[name] = value
		}
	}
	for name := range before {
		if _, exists := after[name]; !exists {
			changed[name] = json.RawMessage("null")
		}
	}
	for field, name := range spelling {
		if value, is := changed[field]; is {
			delete(changed, field)
			changed[name] = value
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	return rawjson.AppendObject(nil, changed), nil
}
