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
	ID             string // of this attempt; all its deliveries share it
	IdempotencyKey string // of the effect; all attempts share it
	Name           string
	SagaID         string
	Definition     string
	Version        int
	Step           string
	Action         saga.Direction // saga.Execute or saga.Compensate
	Attempt        int            // from 1
	Deadline       time.Time      // of this attempt
	TraceParent    string         // W3C trace context; empty: none

	Data    T
	RawData json.RawMessage
	// Output is the output of the step to compensate. It is nil if that is unknown, and in execute commands.
	Output json.RawMessage
}

// DecodeOutput decodes Output into a value. Without an output it returns false and does not change the value.
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
func typed[T any](delivery wire.Delivery) (Command[T], error) {
	command := Command[T]{
		ID: delivery.ID.String(), IdempotencyKey: delivery.ID.IdempotencyKey(), Name: delivery.Name,
		SagaID: delivery.ID.Saga, Definition: delivery.Definition, Version: delivery.Version,
		Step: delivery.ID.Step, Action: delivery.ID.Direction, Attempt: delivery.ID.Attempt,
		Deadline: delivery.Deadline, TraceParent: delivery.TraceParent,
		RawData: delivery.Data, Output: delivery.Output,
	}
	if delivery.Data == nil {
		return command, nil
	}
	if err := json.Unmarshal(delivery.Data, &command.Data); err != nil {
		return command, Fail(CodeInvalidData, err.Error())
	}
	return command, nil
}
