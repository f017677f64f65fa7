package steps

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Command is one attempt to execute or to compensate a step. T is what the handler wants to know of the saga's data.
type Command[T any] struct {
	ID             string // of this attempt; every delivery of it has the same
	IdempotencyKey string // of the effect; every attempt of it has the same
	Name           string
	SagaID         string
	Definition     string
	Version        int
	Step           string
	Action         saga.Direction // saga.Execute or saga.Compensate
	Attempt        int            // from 1
	Deadline       time.Time      // of this attempt
	TraceParent    string         // W3C trace context; empty when there is none

	Data    T
	RawData json.RawMessage
	// Output is what the step that is to be compensated returned; nil when that is not known, and for execute commands.
	Output json.RawMessage
}

// DecodeOutput reads Output into a value. It reports false, and leaves the value alone, when there is no output.
func (c Command[T]) DecodeOutput(into any) (bool, error) {
	if c.Output == nil {
		return false, nil
	}
	if err := json.Unmarshal(c.Output, into); err != nil {
		return false, fmt.Errorf("decode the output of step %s: %w", c.Step, err)
	}
	return true, nil
}

// typed makes a handler's command of what came in. Its error is a final failure: the same data will not fit later.
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
