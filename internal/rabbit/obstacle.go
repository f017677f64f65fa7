package rabbit

import (
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// blockedError means that the broker does not read from connections that publish.
type blockedError struct{ reason string }

func (e blockedError) Error() string { return "RabbitMQ has blocked the connection: " + e.reason }

// explained adds to an error, if it is not that of a connection, what the broker objects to and what an operator can do. A broker
// that objects can be reached, so neither the network nor time is the matter.
func (b *Broker) explained(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrForeign) {
		return &wire.Obstacle{
			What: ErrForeign.Error(), Cause: err,
			Help: "Choose another --amqp-prefix, or delete the queue " + b.names.installation() + " if that installation is gone.",
		}
	}
	if blocked, is := errors.AsType[blockedError](err); is {
		return &wire.Obstacle{
			What: "the broker blocks publishers", Words: blocked.reason, Cause: err,
			Help: "Give RabbitMQ memory or disk: rabbitmqctl status names the alarm.",
		}
	}
	said, is := errors.AsType[*amqp.Error](err)
	if !is {
		return err
	}
	o := &wire.Obstacle{Words: said.Reason, Cause: err}
	switch said.Code {
	case amqp.AccessRefused:
		o.What = "the broker refuses the user"
		o.Help = "Check the user and the password of --amqp-url, and give the user the rights to configure, write and read what begins with " +
			b.config.Prefix + "."
	case amqp.NotAllowed:
		o.What = "the broker refuses the connection"
		o.Help = "Check the vhost of --amqp-url, the rights of its user, and the broker's limits."
	case amqp.ResourceLocked, amqp.PreconditionFailed, amqp.NotFound, amqp.InternalError, amqp.NotImplemented:
		o.What = "the broker refuses what the orchestrator needs"
		o.Help = "See what orchestrator doctor says of its queues, and the log of the broker."
	default: // the end of a connection
		return err
	}
	return o
}
