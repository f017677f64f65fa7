package rabbit

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// ErrNoDeadLettering means that the broker has stopped to dead-letter messages of quorum queues: rejected commands, and those
// that were delivered too often, are kept and go nowhere. RabbitMQ 3.10 stops over one message that it cannot dead-letter
// (docs/failure-modes.md).
var ErrNoDeadLettering = errors.New("the broker dead-letters no messages of quorum queues")

// checkExpires deletes the queue of a check that did not come to its end, in milliseconds.
const checkExpires = int64(10 * 60 * 1000)

// CheckDeadLettering asks the broker for a queue like those of workers, and deletes it: a broker that has stopped to
// dead-letter refuses one. It uses a connection of its own, since such a refusal ends the connection. ErrNoDeadLettering;
// other errors say nothing about dead-lettering. Classic queues have no such state.
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
	name := names{config.Prefix}.check()
	remove := func() error {
		_, err := channel.QueueDelete(name, false, false, false)
		return err
	}
	if err := conn.within(remove); err != nil { // what an earlier check left behind
		return fmt.Errorf("check dead-lettering: %w", err)
	}
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
	}
	return conn.within(remove)
}

// DeadLettering reports whether the broker dead-letters messages. An error says nothing about that.
func (b *Broker) DeadLettering(ctx context.Context) (works bool, err error) {
	err = CheckDeadLettering(ctx, b.config)
	if errors.Is(err, ErrNoDeadLettering) {
		return false, nil
	}
	return err == nil, err
}
