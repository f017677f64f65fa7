package rabbit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

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
	defer conn.close()
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

// DeadLettering reports whether the broker dead-letters messages of quorum queues, if that is known. Readiness does not depend on
// it. Classic queues always do.
func (b *Broker) DeadLettering() (works, known bool) {
	if b.check == nil {
		return true, true
	}
	b.check.mu.Lock()
	defer b.check.mu.Unlock()
	if time.Since(b.check.at) > knownRounds*b.config.CheckEvery { // no connection
		return false, false
	}
	works = b.check.state == nil
	return works, works || errors.Is(b.check.state, ErrNoDeadLettering)
}
