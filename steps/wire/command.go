package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Command is an encoded command, as the outbox keeps it and the relay publishes it.
type Command struct {
	ID          saga.CommandID
	Definition  string
	Version     int
	Name        string // the AMQP type
	Queue       string
	Priority    uint8
	Timeout     time.Duration // of the attempt; the saga-deadline header is the publishing time plus this
	TraceParent string
	CreatedAt   time.Time
	Body        []byte
	Suspect     bool // the broker has refused it before, so it is published alone
	Held        bool // the settings of its queue hold it back: it is stored, and leaves later
}

// body is a command's message body. Its members keep this order.
type body struct {
	Data   json.RawMessage `json:"data"`
	Output json.RawMessage `json:"output,omitempty"`
	// Compensates is in the body rather than in a header because the outbox keeps the body.
	Compensates string `json:"compensates,omitempty"`
	Waited      bool   `json:"waited,omitempty"`
}

// EncodeCommand encodes a command of a decision about the instance.
func EncodeCommand(in *saga.Instance, command saga.Command) (Command, error) {
	content, err := saga.EncodeJSON(body{Data: command.Data, Output: command.Output, Compensates: command.Compensates, Waited: command.Waited})
	if err != nil {
		return Command{}, fmt.Errorf("encode command %s: %w", command.ID, err)
	}
	return Command{
		ID: command.ID, Definition: in.Definition, Version: in.Version,
		Name: command.Name, Queue: command.Queue, Priority: command.Priority, Timeout: command.Timeout,
		TraceParent: in.TraceParent, CreatedAt: in.UpdatedAt, Body: content,
	}, nil
}

// DecodeBody returns the data and the output in a command's body. output is nil if there is none.
func DecodeBody(content []byte) (data, output json.RawMessage, err error) {
	read, err := decodeBody(content)
	return read.Data, read.Output, err
}

func decodeBody(content []byte) (body, error) {
	var read body
	if err := json.Unmarshal(content, &read); err != nil {
		return body{}, errors.New("body: not that of a command") // the decoder's error would quote it
	}
	return read, nil
}
