package rabbit

import (
	"context"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// PublishEvents publishes lifecycle events and returns the error of each; nil: the broker has confirmed it. Events have a
// channel of their own, so that a broker that refuses them does not disturb commands. An event without a subscriber is
// dropped by the broker.
func (b *Broker) PublishEvents(ctx context.Context, events []wire.Event) []error {
	faults := make([]error, len(events))
	var messages []outgoing
	var places []int // of the messages in events
	for i := range events {
		message, err := b.event(&events[i])
		if err != nil {
			faults[i] = err
			continue
		}
		messages, places = append(messages, message), append(places, i)
	}
	for i, receipt := range b.events.collect(ctx, messages) {
		if receipt.Outcome != wire.Confirmed {
			faults[places[i]] = eventFault{receipt}
		}
	}
	return faults
}

// eventFault is why an event was not published.
type eventFault struct{ receipt wire.Receipt }

func (f eventFault) Error() string { return f.receipt.Reason }

// Refused reports whether this event is at fault, and not the broker.
func (f eventFault) Refused() bool { return f.receipt.Outcome == wire.Refused }

// short cuts a text to the length of a property. A row that was edited by hand may have a longer one, and its event would hold up all
// others. The body has the text in full.
func short(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxShort)], "") }

func (b *Broker) event(e *wire.Event) (outgoing, error) {
	body, err := e.Encode(wire.EventSource(b.names.prefix))
	if err != nil {
		return outgoing{}, err
	}
	return outgoing{exchange: b.names.events(), key: short(e.RoutingKey()), optional: true, message: amqp.Publishing{
		MessageId: short(e.ID()), Type: short(e.Type), ContentType: wire.EventContentType, DeliveryMode: amqp.Persistent,
		Timestamp: e.At, Body: body,
	}}, nil
}
