package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Delivery is a command as a worker receives it.
type Delivery struct {
	ID          saga.CommandID
	Name        string
	Definition  string
	Version     int
	Deadline    time.Time // of the attempt; zero: none
	TraceParent string
	Data        json.RawMessage
	Output      json.RawMessage // of the step to compensate; nil: unknown
	// Compensates is the idempotency key of the execution to compensate. Empty: the first one, or this is none.
	Compensates string
	// Waited means that the step to compensate waited for a signal or a time: no command executed it.
	Waited bool
}

// Message returns the command's message when published at a time, with replies going to replyTo. It has no priority: a
// broker with priorities takes it from the command.
func (c *Command) Message(replyTo string, publishedAt time.Time) Message {
	id := c.ID.String()
	return Message{
		MessageID: id, CorrelationID: id, Type: c.Name, ReplyTo: replyTo, ContentType: ContentType,
		Headers: c.Headers(publishedAt), Body: c.Body, Timestamp: publishedAt,
	}
}

// DecodeCommand decodes a message from a worker queue. Only the correlation id identifies the command; the headers that
// repeat parts of it serve operators and workers that cannot parse it. Errors never repeat the message's content.
func DecodeCommand(m Message) (Delivery, error) {
	id, err := saga.ParseCommandID(m.CorrelationID)
	if err != nil {
		return Delivery{}, fmt.Errorf("correlation_id: %w", err)
	}
	if m.Type == "" {
		return Delivery{}, errors.New("type: want the command's name")
	}
	if m.ReplyTo == "" {
		return Delivery{}, errors.New("reply_to: want the queue for the reply")
	}
	read, err := decodeBody(m.Body)
	if err != nil {
		return Delivery{}, err
	}
	if read.Compensates != "" && !compensable(id, read.Compensates) {
		return Delivery{}, errors.New("body: compensates: want the idempotency key of an execution of the same step")
	}
	deadline, err := deadlineOf(m.Headers)
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{
		ID: id, Name: m.Type, Deadline: deadline, Data: present(read.Data), Output: present(read.Output),
		Compensates: read.Compensates, Waited: read.Waited,
		Definition: text(m.Headers[HeaderDefinition]), Version: number(m.Headers[HeaderVersion]),
		TraceParent: text(m.Headers[HeaderTraceParent]),
	}, nil
}

// compensable reports whether the command compensates, and the key is that of an execution of its step.
func compensable(id saga.CommandID, key string) bool {
	executed, err := saga.ParseCommandID(key + "/1")
	return err == nil && id.Direction == saga.Compensate && executed.Direction == saga.Execute &&
		executed.Saga == id.Saga && executed.Step == id.Step
}

func deadlineOf(headers map[string]any) (time.Time, error) {
	written := text(headers[HeaderDeadline])
	if written == "" {
		return time.Time{}, nil
	}
	deadline, err := time.Parse(time.RFC3339Nano, written)
	if err != nil {
		return time.Time{}, fmt.Errorf("header %s: want an RFC 3339 time", HeaderDeadline)
	}
	return deadline, nil
}

// present returns nil for a JSON null.
func present(value json.RawMessage) json.RawMessage {
	if string(value) == "null" {
		return nil
	}
	return value
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// number accepts every integer type that an AMQP client may use in a header, for example after moving a dead letter
// back to its queue. Any value that cannot be a version becomes 0.
func number(value any) int {
	read := 0.0 // a float64 holds every version exactly
	switch n := value.(type) {
	case int64:
		read = float64(n)
	case int32:
		read = float64(n)
	case int16:
		read = float64(n)
	case int8:
		read = float64(n)
	case uint8:
		read = float64(n)
	case int:
		read = float64(n)
	case float64:
		read = n
	}
	if read >= 0 && read <= math.MaxInt32 && read == math.Trunc(read) {
		return int(read)
	}
	return 0
}
