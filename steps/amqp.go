package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const closePatience = 5 * time.Second

// AMQP is the transport over RabbitMQ. The prefix is the orchestrator's, "saga" when it is left out. The worker's user
// needs to read its own queue and to write to the default exchange, and nothing else: the orchestrator declares the
// queues, and a worker that starts before them waits.
func AMQP(url string, prefix ...string) Transport {
	config := rabbit.Config{URL: url, Name: "worker", WorkerOnly: true}
	if len(prefix) > 0 {
		config.Prefix = prefix[0]
	}
	return &amqpTransport{config: config}
}

// amqpTransport connects for as long as somebody receives.
type amqpTransport struct{ config rabbit.Config }

func (a *amqpTransport) Receive(
	ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer,
) error {
	if err := a.config.Validate(); err != nil {
		return err
	}
	config := a.config
	config.Name += " " + queue
	broker := rabbit.Connect(config)
	err := broker.Receive(ctx, queue, limit, handle)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	if closed := broker.Close(closing); closed != nil {
		err = errors.Join(err, fmt.Errorf("end the worker of queue %s: %w", queue, closed))
	}
	return err
}
