package rabbit

import (
	"context"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// The headers in which RabbitMQ records the deaths of a message.
const (
	deathsHeader      = "x-death"
	firstQueueHeader  = "x-first-death-queue"
	firstReasonHeader = "x-first-death-reason"
	reasonRejected    = "rejected"

	damagedHeaders = "headers: " // how a wire.Message.Damage begins if the headers could not be read
)

// brokerCanDeadLetter reports whether RabbitMQ can dead-letter a message. RabbitMQ 3.10 cannot if the message came with a header x-death
// of another form than its own: its dead-lettering then ends for the whole node. What of the headers could not be read
// may be of any form.
func brokerCanDeadLetter(message *wire.Message) bool {
	deaths, has := message.Headers[deathsHeader]
	if !has {
		return !strings.Contains(message.Damage, damagedHeaders)
	}
	list, is := deaths.([]any)
	if !is {
		return false
	}
	for _, death := range list {
		entry, _ := death.(map[string]any)
		_, queue := entry["queue"].(string)
		_, reason := entry["reason"].(string)
		count, counts := entry["count"]
		if _, whole := count.(int64); !queue || !reason || counts && !whole {
			return false
		}
	}
	return true
}

// reject dead-letters a message. The broker does it, except for one that came with a header x-death: AMQP allows it twice, and
// the library shows one of them.
func (b *Broker) reject(ctx context.Context, message *wire.Message) verdict {
	if _, has := message.Headers[deathsHeader]; has {
		return b.deadLetter(ctx, message)
	}
	return reject
}

// deadLetter publishes a message that the broker cannot dead-letter to the queue of dead letters, as the broker would do,
// with those of its headers that are simple. It tries until that is confirmed or ctx ends: each further delivery brings the
// message closer to its delivery limit.
func (b *Broker) deadLetter(ctx context.Context, message *wire.Message) verdict {
	headers := amqp.Table{}
	for name, value := range message.Headers {
		switch value.(type) {
		case string, int64, bool:
			headers[name] = value
		}
	}
	delete(headers, deathsHeader)
	if message.Damage != "" {
		headers[damageHeader] = message.Damage
	}
	headers[firstQueueHeader], headers[firstReasonHeader] = message.Queue, reasonRejected
	letter := []outgoing{{key: b.names.dead(), message: amqp.Publishing{
		MessageId: message.MessageID, CorrelationId: message.CorrelationID, Type: message.Type, ReplyTo: message.ReplyTo,
		ContentType: message.ContentType, DeliveryMode: amqp.Persistent, Timestamp: time.Now(), Headers: headers, Body: message.Body,
	}}}
	log := b.config.Logger.With("queue", message.Queue, "message_id", message.MessageID)
	var retry backoff
	for retry.wait(ctx) {
		receipt := b.publisher.collect(ctx, letter)[0]
		if receipt.Outcome == wire.Confirmed {
			log.Warn("dead-lettered a message for the broker, which may not be able to", "reason", whyNotByBroker(message))
			return ack
		}
		if retry.newsworthy() {
			log.Warn("cannot dead-letter a message for the broker, will retry", "reason", receipt.Reason)
		}
	}
	return requeue
}

// whyNotByBroker returns why the broker may not be able to dead-letter a message.
func whyNotByBroker(message *wire.Message) string {
	if _, has := message.Headers[deathsHeader]; has {
		return "it came with a header x-death of its own"
	}
	return "some of its headers cannot be read, and may be an x-death of its own: " + message.Damage
}
