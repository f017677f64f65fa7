package rabbit

import (
	"fmt"
	"math"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	maxShort = 255     // bytes of a name or a property; a longer one makes the library end the connection
	maxBody  = 8 << 20 // bytes of a message, sent or received
	// maxOwnBody is the number of bytes to which a message in the orchestrator's own queues is cut. Valid ones are shorter.
	maxOwnBody = 2 << 20
)

// outgoing is a message and its destination.
type outgoing struct {
	exchange, key string
	optional      bool // a message without a queue is dropped rather than returned
	message       amqp.Publishing
}

// command returns the message of a command.
func (b *Broker) command(c *wire.Command, now time.Time) outgoing {
	m := c.Message(b.names.replies(), now)
	return outgoing{exchange: b.names.commands(), key: c.Queue, message: amqp.Publishing{
		MessageId: m.MessageID, CorrelationId: m.CorrelationID, Type: m.Type, ReplyTo: m.ReplyTo,
		ContentType: m.ContentType, DeliveryMode: amqp.Persistent, Priority: c.Priority, Timestamp: now,
		Headers: amqp.Table(m.Headers), Body: m.Body,
	}}
}

// reply returns the message of a reply. It goes to the default exchange, whose keys are queue names.
func (b *Broker) reply(to, correlationID string, body []byte) outgoing {
	return outgoing{key: to, message: amqp.Publishing{
		UserId: b.userID, MessageId: correlationID, CorrelationId: correlationID, ContentType: wire.ContentType,
		DeliveryMode: amqp.Persistent, Timestamp: time.Now(), Body: body,
	}}
}

// check refuses a message that would break the channel or the connection, and so harm others.
func (o *outgoing) check() error {
	m := &o.message
	for _, text := range []string{o.key, m.MessageId, m.CorrelationId, m.Type, m.ReplyTo} {
		if len(text) > maxShort {
			return fmt.Errorf("a property of %d bytes, the limit is %d", len(text), maxShort)
		}
	}
	if len(m.Body) > maxBody {
		return fmt.Errorf("a body of %d bytes, the limit is %d", len(m.Body), maxBody)
	}
	return m.Headers.Validate()
}

// incoming converts a delivery.
func incoming(queue string, d *amqp.Delivery) wire.Message {
	headers := map[string]any(d.Headers) // the library keeps no reference
	for name, value := range headers {
		switch value.(type) {
		case string, int64, bool, nil: // most are plain already
		default:
			headers[name] = plain(value)
		}
	}
	damage, _ := headers[damageHeader].(string)
	delete(headers, damageHeader)
	return wire.Message{
		Queue: queue, MessageID: d.MessageId, CorrelationID: d.CorrelationId, Type: d.Type, ReplyTo: d.ReplyTo,
		ContentType: d.ContentType, UserID: d.UserId, Headers: headers, Body: d.Body, Redelivered: d.Redelivered,
		Timestamp: d.Timestamp, Damage: damage,
	}
}

// diedIn returns the kind of queue in which a dead letter first died.
func (n names) diedIn(headers map[string]any) string {
	queue, known := headers["x-first-death-queue"].(string)
	if !known {
		queue = firstDeath(headers["x-death"])
	}
	switch {
	case queue == n.replies():
		return wire.DiedInReplies
	case queue == n.start():
		return wire.DiedInStart
	case strings.HasPrefix(queue, n.worker("")):
		return wire.DiedInCommands
	default:
		return ""
	}
}

// firstDeath returns the queue of the oldest entry of x-death, which is the last one.
func firstDeath(deaths any) string {
	entries, _ := deaths.([]any)
	if len(entries) == 0 {
		return ""
	}
	oldest, _ := entries[len(entries)-1].(map[string]any)
	queue, _ := oldest["queue"].(string)
	return queue
}

// plain converts a header's value to what encoding/json decodes, except that integers are int64.
func plain(value any) any {
	switch v := value.(type) {
	case amqp.Table:
		object := make(map[string]any, len(v))
		for name, member := range v {
			object[name] = plain(member)
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = plain(element)
		}
		return list
	case int8:
		return int64(v)
	case uint8:
		return int64(v)
	case int16:
		return int64(v)
	case uint16:
		return int64(v)
	case int32:
		return int64(v)
	case uint32:
		return int64(v)
	case int:
		return int64(v)
	case int64, bool, string, nil:
		return v
	case float64:
		return number(v)
	case float32:
		return number(float64(v))
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	default:
		return fmt.Sprint(v)
	}
}

// number keeps a float that JSON can encode; others become text.
func number(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	return v
}
