package rabbit

import (
	"math"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxPriority is that of the contract's priorities, on queues that order by them.
const maxPriority = 10

// ownDeliveryLimit is that of the queues that the orchestrator itself consumes. It puts aside what it cannot use, so that
// only its own crashes have a message delivered again: what is lost then should not be lost to a limit.
const ownDeliveryLimit = 20

const (
	deliveryLimitArg = "x-delivery-limit"
	maxPriorityArg   = "x-max-priority"
)

// ownDeclarations are what the orchestrator needs whatever the definitions are.
func (t *topology) ownDeclarations() []declaration {
	n := t.names
	return append(t.exchanges(),
		// The last resting place: a delivery limit would make it drop what it holds.
		t.queue(n.dead(), t.arguments(amqp.Table{deliveryLimitArg: int64(math.MaxInt32)})),
		t.binding(n.dead(), "", n.dead()),
		t.queue(n.replies(), t.deadLettering(nil, ownDeliveryLimit)),
		t.queue(n.start(), t.deadLettering(nil, ownDeliveryLimit)),
	)
}

func (t *topology) exchanges() []declaration {
	n := t.names
	return []declaration{
		exchange(n.dead(), amqp.ExchangeFanout),
		exchange(n.commands(), amqp.ExchangeDirect),
		exchange(n.events(), amqp.ExchangeTopic),
	}
}

// workerDeclarations are the worker queues and their bindings. A queue that exists with other properties is bound all
// the same: it holds commands.
func (t *topology) workerDeclarations(queues []string) []declaration {
	var all []declaration
	for _, queue := range queues {
		arguments := amqp.Table{}
		if t.config.QueueType == Classic {
			arguments[maxPriorityArg] = int64(maxPriority)
		}
		all = append(all,
			t.queue(t.names.worker(queue), t.deadLettering(arguments, t.config.DeliveryLimit)),
			t.binding(t.names.worker(queue), queue, t.names.commands()))
	}
	return all
}

func exchange(name, kind string) declaration {
	return declaration{"declare exchange " + name, func(c *amqp.Channel) error {
		return c.ExchangeDeclare(name, kind, true, false, false, false, nil)
	}}
}

func (t *topology) queue(name string, arguments amqp.Table) declaration {
	return declaration{"declare queue " + name, func(c *amqp.Channel) error {
		_, err := c.QueueDeclare(name, true, false, false, false, arguments)
		return err
	}}
}

func (t *topology) binding(queue, key, exchange string) declaration {
	return declaration{"bind queue " + queue, func(c *amqp.Channel) error {
		return c.QueueBind(queue, key, exchange, false, nil)
	}}
}

// deadLettering adds what makes a queue keep what it cannot deliver. By default RabbitMQ may lose a message on its way
// to the dead letters, and delivers a message that nobody settles for ever.
func (t *topology) deadLettering(arguments amqp.Table, deliveryLimit int) amqp.Table {
	if arguments == nil {
		arguments = amqp.Table{}
	}
	arguments["x-dead-letter-exchange"] = t.names.dead()
	if t.config.QueueType == Quorum {
		arguments["x-dead-letter-strategy"] = "at-least-once"
		arguments[amqp.QueueOverflowArg] = amqp.QueueOverflowRejectPublish
		arguments[deliveryLimitArg] = int64(deliveryLimit)
	}
	return t.arguments(arguments)
}

// arguments names the kind of queue, and leaves out what that kind does not know.
func (t *topology) arguments(arguments amqp.Table) amqp.Table {
	arguments[amqp.QueueTypeArg] = string(t.config.QueueType)
	if t.config.QueueType == Classic {
		delete(arguments, deliveryLimitArg)
	}
	return arguments
}
