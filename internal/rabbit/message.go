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
	maxShort = 255     // bytes of a name or a property; the library breaks the connection over a longer one
	maxBody  = 8 << 20 // bytes of a message that is sent, or kept of one that is received
	// maxOwnBody is what is kept of a message in the orchestrator's own queues: more than any that is valid.
	maxOwnBody = 2 << 20
)

// outgoing is a message and where it goes to.
type outgoing struct {
	exchange, key string
	message       amqp.Publishing
}

// command makes the message of a command.
func (b *Broker) command(c *wire.Command, now time.Time) outgoing {
	m := c.Message(b.names.replies(), now)
	return outgoing{exchange: b.names.commands(), key: c.Queue, message: amqp.Publishing{
		MessageId: m.MessageID, CorrelationId: m.CorrelationID, Type: m.Type, ReplyTo: m.ReplyTo,
		ContentType: m.ContentType, DeliveryMode: amqp.Persistent, Priority: c.Priority, Timestamp: now,
		Headers: amqp.Table(m.Headers), Body: m.Body,
	}}
}

// reply makes the message of a worker's reply. It goes through the default exchange, whose keys are names of queues.
func reply(to, correlationID string, body []byte) outgoing {
	return outgoing{key: to, message: amqp.Publishing{
		MessageId: correlationID, CorrelationId: correlationID, ContentType: wire.ContentType,
		DeliveryMode: amqp.Persistent, Timestamp: time.Now(), Body: body,
	}}
}

// check refuses what would break the channel or the connection, and with it the messages beside this one.
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

// incoming makes a Message of a delivery.
func incoming(queue string, d *amqp.Delivery) wire.Message {
	headers := map[string]any(d.Headers) // the library keeps no reference
	for name, value := range headers {
		headers[name] = plain(value)
	}
	damage, _ := headers[damageHeader].(string)
	delete(headers, damageHeader)
	return wire.Message{
		Queue: queue, MessageID: d.MessageId, CorrelationID: d.CorrelationId, Type: d.Type, ReplyTo: d.ReplyTo,
		ContentType: d.ContentType, UserID: d.UserId, Headers: headers, Body: d.Body, Redelivered: d.Redelivered,
		Timestamp: d.Timestamp, Damage: damage,
	}
}

// diedIn returns the kind of the queue in which a dead letter died first.
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

// plain turns a header's value into what encoding/json makes of JSON, but for integers, which are int64.
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

// number keeps a float that JSON can write; others become text.
func number(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	return v
}
