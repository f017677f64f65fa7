package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Delivery is a command as a worker gets it: what DecodeCommand reads from a Message.
type Delivery struct {
	ID          saga.CommandID
	Name        string
	Definition  string
	Version     int
	Deadline    time.Time // of the attempt; zero when the message has none
	TraceParent string
	Data        json.RawMessage
	Output      json.RawMessage // of the step that is to be compensated; nil when it is not known
}

// Message is the command as it goes to a broker at that time, with replies going to replyTo. The priority is not in a
// Message: a broker that orders by it takes it from the command.
func (c *Command) Message(replyTo string, publishedAt time.Time) Message {
	id := c.ID.String()
	return Message{
		MessageID: id, CorrelationID: id, Type: c.Name, ReplyTo: replyTo, ContentType: ContentType,
		Headers: c.Headers(publishedAt), Body: c.Body, Timestamp: publishedAt,
	}
}

// DecodeCommand reads a message from a worker queue. What identifies the command is its correlation id alone; the
// headers that repeat parts of it are for people and for workers that have no such function. Its errors never repeat
// the message's content.
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
	data, output, err := DecodeBody(m.Body)
	if err != nil {
		return Delivery{}, err
	}
	deadline, err := deadlineOf(m.Headers)
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{
		ID: id, Name: m.Type, Deadline: deadline, Data: present(data), Output: present(output),
		Definition: text(m.Headers[HeaderDefinition]), Version: number(m.Headers[HeaderVersion]),
		TraceParent: text(m.Headers[HeaderTraceParent]),
	}, nil
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

// present makes an absent value of a null.
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

// number accepts every integer that an AMQP client may have made of the header, for example when it sent a dead letter
// to its queue again. What is no version of a definition is 0.
func number(value any) int {
	read := 0.0 // holds every version exactly
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
