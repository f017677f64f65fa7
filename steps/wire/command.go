package wire

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
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
	Data   json.RawMessage // nil: null
	Output json.RawMessage // nil: none
	// Compensates is in the body rather than in a header because the outbox keeps the body.
	Compensates string
	Waited      bool
}

// encode copies the data as it is: large data would cost more to encode than everything else about a command.
func (b body) encode() []byte {
	text := append(make([]byte, 0, len(b.Data)+len(b.Output)+len(b.Compensates)+64), `{"data":`...)
	if b.Data == nil {
		text = append(text, "null"...)
	}
	text = rawjson.AppendCompact(text, b.Data)
	if len(b.Output) > 0 {
		text = rawjson.AppendCompact(append(text, `,"output":`...), b.Output)
	}
	if b.Compensates != "" {
		text = rawjson.AppendString(append(text, `,"compensates":`...), b.Compensates)
	}
	if b.Waited {
		text = append(text, `,"waited":true`...)
	}
	return append(text, '}')
}

// EncodeCommand encodes a command of a decision about the instance.
func EncodeCommand(in *saga.Instance, command saga.Command) Command {
	content := body{Data: command.Data, Output: command.Output, Compensates: command.Compensates, Waited: command.Waited}.encode()
	return Command{
		ID: command.ID, Definition: in.Definition, Version: in.Version,
		Name: command.Name, Queue: command.Queue, Priority: command.Priority, Timeout: command.Timeout,
		TraceParent: in.TraceParent, CreatedAt: in.UpdatedAt, Body: content,
	}
}

// DecodeBody returns the data and the output in a command's body. output is nil if there is none.
func DecodeBody(content []byte) (data, output json.RawMessage, err error) {
	read, err := decodeBody(content)
	return read.Data, read.Output, err
}

func decodeBody(content []byte) (read body, err error) {
	members, ok := rawjson.Members(content)
	if !ok {
		return body{}, errNotCommand
	}
	for _, member := range members {
		switch member.Name {
		case "data":
			read.Data = member.Value
		case "output":
			read.Output = member.Value
		case "compensates":
			err = json.Unmarshal(member.Value, &read.Compensates)
		case "waited":
			err = json.Unmarshal(member.Value, &read.Waited)
		}
		if err != nil {
			return body{}, errNotCommand
		}
	}
	return read, nil
}

// errNotCommand does not quote the body, as the decoder's error would.
var errNotCommand = errors.New("body: not that of a command")
