package steps

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Command is one attempt to execute or to compensate a step. T is the part of the saga's data that the handler reads.
type Command[T any] struct {
	ID             string         // of this attempt; all its deliveries share it
	IdempotencyKey string         // of the effect; all attempts share it
	Name           string         // the command's or the compensation's, as the definition has it
	SagaID         string         // a ULID
	Definition     string         // name of the saga's definition
	Version        int            // of the definition
	Step           string         // name of the step
	Action         saga.Direction // saga.Execute or saga.Compensate
	Attempt        int            // from 1
	Deadline       time.Time      // of this attempt; zero: none
	TraceParent    string         // W3C trace context; empty: none

	Data    T               // the saga's data, decoded; members without a field in T are ignored
	RawData json.RawMessage // the same as JSON; nil: none
	// Output is the output of the step to compensate. It is nil if that is unknown, and in execute commands.
	Output json.RawMessage
	// Compensates is the IdempotencyKey of the execution to compensate. Empty: the step's first execution, or this is an
	// execute command. Only a rewind makes further executions.
	Compensates string
}

// DecodeOutput decodes Output into the value that into points to, and returns true. Without an output it returns false and
// leaves the value unchanged. Its error is the JSON decoder's.
func (c Command[T]) DecodeOutput(into any) (bool, error) {
	if c.Output == nil {
		return false, nil
	}
	if err := json.Unmarshal(c.Output, into); err != nil {
		return false, fmt.Errorf("decode the output of step %s: %w", c.Step, err)
	}
	return true, nil
}

// typed decodes the data for a handler. Its error is final: the same data will not fit later.
func typed[T any](delivery wire.Delivery, decoder decoder) (Command[T], error) {
	command := Command[T]{
		ID: delivery.ID.String(), IdempotencyKey: delivery.ID.IdempotencyKey(), Name: delivery.Name,
		SagaID: delivery.ID.Saga, Definition: delivery.Definition, Version: delivery.Version,
		Step: delivery.ID.Step, Action: delivery.ID.Direction, Attempt: delivery.ID.Attempt,
		Deadline: delivery.Deadline, TraceParent: delivery.TraceParent,
		RawData: delivery.Data, Output: delivery.Output, Compensates: delivery.Compensates,
	}
	if delivery.Data == nil {
		return command, nil
	}
	if err := decoder.decode(delivery.Data, &command.Data); err != nil {
		return command, Fail(CodeInvalidData, err.Error())
	}
	return command, nil
}
