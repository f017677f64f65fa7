package rabbit

import (
	"math"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxPriority is the highest priority of the protocol, for queues that order by it.
const maxPriority = 10

const (
	deliveryLimitArg   = "x-delivery-limit"
	maxPriorityArg     = "x-max-priority"
	consumerTimeoutArg = "x-consumer-timeout"
	deadExchangeArg    = "x-dead-letter-exchange"
	deadKeyArg         = "x-dead-letter-routing-key"
	deadStrategyArg    = "x-dead-letter-strategy"
	deadAtLeastOnce    = "at-least-once"
)

const (
	// unlimited is the delivery limit of the orchestrator's own queues. The orchestrator dead-letters unusable messages
	// itself. Only lost connections cause redeliveries, and even a long series of them must not lose a reply.
	unlimited = int64(math.MaxInt32)
	// formerLimit is the limit that builds before 0.1 declared. Such a queue is used as it is.
	formerLimit = int64(20)
	// consumerTimeout limits a worker's time for one command, on brokers with a timeout for each queue. The definition
	// limits an attempt; the broker's default of 30 minutes would redeliver a longer command again and again. It is the
	// same for all queues, since it can never be changed.
	consumerTimeout = 30 * 24 * time.Hour
)

// ownDeclarations are what the orchestrator needs for any definition.
func (t *topology) ownDeclarations() []declaration {
	n := t.names
	return append(t.exchanges(),
		// A delivery limit would make the dead-letter queue drop its messages.
		queue(n.dead(), t.arguments(amqp.Table{deliveryLimitArg: unlimited})),
		binding(n.dead(), "", n.dead()),
		queue(n.replies(), t.deadLettering(nil, unlimited), t.deadLettering(nil, formerLimit)),
		queue(n.start(), t.deadLettering(nil, unlimited), t.deadLettering(nil, formerLimit)),
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

// workerDeclarations are the worker queues and their bindings. A queue that exists with other properties is bound too:
// it holds commands.
func (t *topology) workerDeclarations(queues []string, brokerVersion string) []declaration {
	var all []declaration
	for _, name := range queues {
		former := t.workerArguments()
		alternatives := []amqp.Table{former}
		if timesEachQueue(brokerVersion) {
			present := t.workerArguments()
			present[consumerTimeoutArg] = consumerTimeout.Milliseconds()
			alternatives = []amqp.Table{present, former}
		}
		all = append(all, queue(t.names.worker(name), alternatives...), binding(t.names.worker(name), name, t.names.commands()))
	}
	return all
}

func (t *topology) workerArguments() amqp.Table {
	arguments := amqp.Table{}
	if t.config.QueueType == Classic {
		arguments[maxPriorityArg] = int64(maxPriority)
	}
	return t.deadLettering(arguments, int64(t.config.DeliveryLimit))
}

// timesEachQueue reports whether a version of RabbitMQ supports a consumer timeout for each queue: 3.12 and later.
func timesEachQueue(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	first, err := strconv.Atoi(major)
	if err != nil {
		return false
	}
	second, err := strconv.Atoi(minor)
	return first > 3 || err == nil && first == 3 && second >= 12
}

// marker is an unused queue whose arguments contain the installation's id: the broker refuses to declare it with
// another id.
func (t *topology) marker() declaration {
	return queue(t.names.installation(), amqp.Table{
		amqp.QueueTypeArg: string(Classic), deadExchangeArg: t.names.dead(), deadKeyArg: t.config.Installation,
	})
}

func exchange(name, kind string) declaration {
	return declaration{
		what: "declare exchange " + name, name: "exchange " + name,
		tries: []func(*amqp.Channel) error{func(c *amqp.Channel) error {
			return c.ExchangeDeclare(name, kind, true, false, false, false, nil)
		}},
		passive: func(c *amqp.Channel) error {
			return c.ExchangeDeclarePassive(name, kind, true, false, false, false, nil)
		},
	}
}

// queue declares a queue with the first arguments, and accepts the alternatives of earlier builds.
func queue(name string, alternatives ...amqp.Table) declaration {
	d := declaration{
		what: "declare queue " + name, name: "queue " + name,
		passive: func(c *amqp.Channel) error {
			_, err := c.QueueDeclarePassive(name, true, false, false, false, nil)
			return err
		},
	}
	for _, arguments := range alternatives {
		d.tries = append(d.tries, func(c *amqp.Channel) error {
			_, err := c.QueueDeclare(name, true, false, false, false, arguments)
			return err
		})
	}
	return d
}

// binding binds a queue. AMQP cannot ask whether a binding exists: without the right to bind, it is assumed to exist.
func binding(queue, key, exchange string) declaration {
	return declaration{
		what: "bind queue " + queue,
		tries: []func(*amqp.Channel) error{func(c *amqp.Channel) error {
			return c.QueueBind(queue, key, exchange, false, nil)
		}},
		passive: func(*amqp.Channel) error { return nil },
	}
}

// deadLettering adds the arguments that keep undeliverable messages. By default RabbitMQ may lose a message on its way
// to the dead letters, and redelivers an unsettled message forever.
func (t *topology) deadLettering(arguments amqp.Table, deliveryLimit int64) amqp.Table {
	if arguments == nil {
		arguments = amqp.Table{}
	}
	arguments[deadExchangeArg] = t.names.dead()
	if t.config.QueueType == Quorum {
		arguments[deadStrategyArg] = deadAtLeastOnce
		arguments[amqp.QueueOverflowArg] = amqp.QueueOverflowRejectPublish
		arguments[deliveryLimitArg] = deliveryLimit
	}
	return t.arguments(arguments)
}

// arguments adds the queue type, and removes the arguments that the type does not support.
func (t *topology) arguments(arguments amqp.Table) amqp.Table {
	arguments[amqp.QueueTypeArg] = string(t.config.QueueType)
	if t.config.QueueType == Classic {
		delete(arguments, deliveryLimitArg)
	}
	return arguments
}
