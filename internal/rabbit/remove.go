package rabbit

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Remove deletes the exchanges and queues of a prefix and the given worker queues, with their content. No client may be
// connected under the prefix. A missing queue or exchange is not an error.
func Remove(ctx context.Context, config Config, workerQueues []string) error {
	config = config.withDefaults()
	conn, err := dial(ctx, config, config.Name, newReadLimits())
	if err != nil {
		return fmt.Errorf("remove the queues of %s: %w", config.Prefix, err)
	}
	defer conn.close()
	channel, err := conn.channel()
	if err != nil {
		return fmt.Errorf("remove the queues of %s: %w", config.Prefix, err)
	}
	for _, d := range removals(names{config.Prefix}, workerQueues) {
		if err := conn.within(func() error { return d.do(channel) }); err != nil {
			return fmt.Errorf("%s: %w", d.what, err)
		}
	}
	return nil
}

// removal deletes one thing.
type removal struct {
	what string
	do   func(*amqp.Channel) error
}

func removals(n names, workerQueues []string) []removal {
	queues := []string{n.replies(), n.start(), n.dead(), n.installation(), n.check()}
	for _, queue := range workerQueues {
		queues = append(queues, n.worker(queue))
	}
	var all []removal
	for _, queue := range queues {
		all = append(all, removal{"delete queue " + queue, func(c *amqp.Channel) error {
			_, err := c.QueueDelete(queue, false, false, false)
			return err
		}})
	}
	for _, exchange := range []string{n.commands(), n.events(), n.dead(), n.checked()} {
		all = append(all, removal{"delete exchange " + exchange, func(c *amqp.Channel) error {
			return c.ExchangeDelete(exchange, false, false)
		}})
	}
	return all
}
