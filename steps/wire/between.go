package wire

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// BetweenSagas is the queue of messages between sagas in the outbox. They never reach the broker: no queue of a worker can
// have this name.
const BetweenSagas = "$sagas"

// EncodeMessage encodes a message of a decision about the instance, for the outbox.
func EncodeMessage(in *saga.Instance, message saga.Message) (Command, error) {
	content, err := saga.EncodeJSON(message)
	if err != nil {
		return Command{}, fmt.Errorf("encode message %s: %w", message.ID, err)
	}
	return Command{
		ID: message.ID, Definition: in.Definition, Version: in.Version, Queue: BetweenSagas, Priority: in.Priority,
		CreatedAt: in.UpdatedAt, Body: content,
	}, nil
}

// DecodeMessage decodes the body of a message between sagas.
func DecodeMessage(id saga.CommandID, content []byte) (saga.Message, error) {
	message := saga.Message{ID: id}
	if err := json.Unmarshal(content, &message); err != nil {
		return saga.Message{}, errors.New("body: not that of a message between sagas")
	}
	if message.Start == nil && message.Unwind == nil && message.Ended == nil {
		return saga.Message{}, errors.New("body: a message between sagas that says nothing")
	}
	return message, nil
}
