package rabbit

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Inspect returns the state of worker queues. One inspection runs at a time, on a connection that neither publishes nor
// consumes. An error about one queue leaves it out and hides no other: the states of the others come with the error.
func (b *Broker) Inspect(ctx context.Context, queues []string) (map[string]wire.QueueState, error) {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	select {
	case b.inspecting <- struct{}{}:
		defer func() { <-b.inspecting }()
	case <-ctx.Done():
		return nil, fmt.Errorf("inspect queues: %w", ctx.Err())
	}
	conn, err := b.declaring.now()
	if err != nil {
		return nil, fmt.Errorf("inspect queues: %w", err)
	}
	i := inspection{conn: conn}
	defer i.close()
	states := make(map[string]wire.QueueState, len(queues))
	var faults error
	for _, queue := range queues {
		if ctx.Err() != nil {
			return states, errors.Join(faults, fmt.Errorf("inspect queues: %w", ctx.Err()))
		}
		if len(b.names.worker(queue)) > maxShort { // no queue has such a name, and the library would end the connection
			states[queue] = wire.QueueState{}
			continue
		}
		state, err := i.inspect(b.names.worker(queue))
		if err == nil {
			states[queue] = state
			continue
		}
		faults = errors.Join(faults, fmt.Errorf("inspect queue %s: %w", queue, err))
		if said, is := errors.AsType[*amqp.Error](err); !is || !said.Server || conn.isGone() { // it is not about the queue
			break
		}
	}
	return states, faults
}

// inspection asks about queues on a channel, and opens another one when the broker closes it over a queue that is missing or
// locked.
type inspection struct {
	conn    *connection
	channel *amqp.Channel
}

func (i *inspection) inspect(queue string) (wire.QueueState, error) {
	if i.channel == nil {
		opened, err := i.conn.channel()
		if err != nil {
			return wire.QueueState{}, err
		}
		i.channel = opened
	}
	var found amqp.Queue
	err := i.conn.within(func() (err error) {
		found, err = i.channel.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err
	})
	if err == nil {
		return wire.QueueState{Exists: true, Depth: found.Messages, Consumers: found.Consumers}, nil
	}
	i.close()
	switch {
	case is(err, amqp.NotFound):
		return wire.QueueState{}, nil
	case is(err, amqp.ResourceLocked):
		return wire.QueueState{Exists: true, Locked: true}, nil
	default:
		return wire.QueueState{}, err
	}
}

func (i *inspection) close() {
	if i.channel != nil && !i.channel.IsClosed() {
		_ = i.conn.within(i.channel.Close)
	}
	i.channel = nil
}
