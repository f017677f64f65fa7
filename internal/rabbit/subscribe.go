package rabbit

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// singleConsumerArg makes the broker deliver to one consumer of a queue at a time, in the queue's order. If that one is
// lost, another takes its place.
const singleConsumerArg = "x-single-active-consumer"

// Subscribe calls handle with the lifecycle events that match one of the keys, one at a time, until ctx ends. handle returns without Dropped only if ctx
// has ended. The durable
// queue <prefix>.events.<name> keeps them while there is no subscriber. Subscribers of the same name share it: one of them
// gets the events, the others wait to take its place.
func (b *Broker) Subscribe(ctx context.Context, name string, keys []string, handle func(wire.Message) wire.Answer) error {
	queueName := b.names.subscription(name)
	arguments := amqp.Table{amqp.QueueTypeArg: string(b.config.QueueType), singleConsumerArg: true}
	if b.config.QueueType == Quorum {
		arguments[deliveryLimitArg] = unlimited // without a limit a returned message goes to the end of the queue
	}
	declare := []declaration{
		exchange(b.names.events(), amqp.ExchangeTopic),
		queue(queueName, arguments),
	}
	for _, key := range keys {
		declare = append(declare, binding(queueName, key, b.names.events()))
	}
	var calls sync.WaitGroup
	b.consume(ctx, consumer{
		queue: queueName, prefetch: 1, inOrder: true, renew: b.config.Renew, declare: declare,
		handle: func(message wire.Message, settle func(verdict)) {
			calls.Go(func() { // so that a lost connection is noticed meanwhile
				v := leave // a message that is requeued would be overtaken by the next one
				defer func() { settle(v) }()
				if handle(message).Settlement == wire.Dropped {
					v = ack
				}
			})
		},
	})
	calls.Wait()
	return nil
}
