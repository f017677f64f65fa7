package rabbit

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Inspect returns the state of worker queues. It asks over a channel of its own, since the broker closes the channel of
// a question about a queue that is not there.
func (b *Broker) Inspect(ctx context.Context, queues []string) (map[string]wire.QueueState, error) {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	conn, err := b.consuming.now()
	if err != nil {
		return nil, fmt.Errorf("inspect queues: %w", err)
	}
	states := make(map[string]wire.QueueState, len(queues))
	var channel *amqp.Channel
	for _, queue := range queues {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("inspect queues: %w", ctx.Err())
		}
		if channel == nil {
			if channel, err = conn.channel(); err != nil {
				return nil, fmt.Errorf("inspect queues: %w", err)
			}
		}
		var found amqp.Queue
		err := conn.within(func() (err error) {
			found, err = channel.QueueDeclarePassive(b.names.worker(queue), true, false, false, false, nil)
			return err
		})
		switch {
		case err == nil:
			states[queue] = wire.QueueState{Exists: true, Depth: found.Messages, Consumers: found.Consumers}
		case is(err, amqp.NotFound):
			states[queue], channel = wire.QueueState{}, nil
		default:
			return nil, fmt.Errorf("inspect queue %s: %w", queue, err)
		}
	}
	if channel != nil {
		_ = conn.within(channel.Close)
	}
	return states, nil
}
