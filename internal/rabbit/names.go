package rabbit

import amqp "github.com/rabbitmq/amqp091-go"

// names are the names of the exchanges and queues under a prefix.
type names struct{ prefix string }

func (n names) commands() string { return n.prefix + ".commands" }
func (n names) events() string   { return n.prefix + ".events" }
func (n names) dead() string     { return n.prefix + ".dead" } // the exchange and the queue
func (n names) replies() string  { return n.prefix + ".replies" }
func (n names) start() string    { return n.prefix + ".start" }

// subscription returns the queue of a subscriber of lifecycle events.
func (n names) subscription(name string) string { return n.events() + "." + name }

func (n names) worker(queue string) string { return n.prefix + ".commands." + queue }

// installation is the queue that marks which installation uses the prefix.
func (n names) installation() string { return n.prefix + ".installation" }

// check is the queue of check messages, checked the exchange of those that died, and the prefix of the queue of each replica.
func (n names) check() string   { return n.prefix + ".check" }
func (n names) checked() string { return n.prefix + ".checked" }

// probe is a message that the broker returns and confirms, which shows that it accepts messages. A worker may write to
// the default exchange only.
func (n names) probe(worker bool) outgoing {
	exchange := n.commands()
	if worker {
		exchange = ""
	}
	return outgoing{exchange: exchange, key: n.prefix + ".probe", message: amqp.Publishing{
		MessageId: "probe", Expiration: "1000", DeliveryMode: amqp.Transient,
	}}
}
