package rabbit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// ErrNoDeadLettering means that the broker has stopped dead-lettering messages of quorum queues: rejected commands, and those
// that were delivered too often, are kept and go nowhere. RabbitMQ 3.10 stops over one message that it cannot dead-letter
// (docs/failure-modes.md).
var ErrNoDeadLettering = errors.New("the broker dead-letters no messages of quorum queues")

// checkExpires is the age at which the broker deletes the queue of a check, in milliseconds.
const checkExpires = int64(60 * 1000)

// CheckDeadLettering asks the broker for a queue like those of workers: a broker that has stopped dead-lettering refuses one. It
// uses a connection of its own, since such a refusal ends the connection. ErrNoDeadLettering; other errors say nothing about
// dead-lettering. Classic queues have no such state.
//
// Call it when an operator asks, never at intervals. Each call declares a queue that expires. To delete that queue at once, or to share
// its name between processes, can itself end dead-lettering in RabbitMQ 3.10.
func CheckDeadLettering(ctx context.Context, config Config) error {
	config = config.withDefaults()
	if config.QueueType == Classic {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, config.Timeout)
	defer cancel()
	conn, err := dial(ctx, config, config.Name+" check", newReadLimits())
	if err != nil {
		return fmt.Errorf("check dead-lettering: %w", err)
	}
	defer conn.close(closePatience)
	channel, err := conn.channel()
	if err != nil {
		return fmt.Errorf("check dead-lettering: %w", err)
	}
	name := config.Prefix + ".check-" + rand.Text()
	arguments := (&topology{names: names{config.Prefix}, config: config}).workerArguments()
	arguments["x-expires"] = checkExpires
	err = conn.within(func() error {
		_, err := channel.QueueDeclare(name, true, false, false, false, arguments)
		return err
	})
	switch {
	case is(err, amqp.InternalError):
		return fmt.Errorf("declare queue %s: %w: %w", name, ErrNoDeadLettering, err)
	case err != nil:
		return fmt.Errorf("check dead-lettering: %w", err)
	default:
		return nil
	}
}
