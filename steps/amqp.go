package steps

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const closePatience = 5 * time.Second

// AMQP is the transport over RabbitMQ. The prefix is the orchestrator's, "saga" when it is left out. The worker's user
// needs to read its own queue and to write to the default exchange, and nothing else: the orchestrator declares the
// queues, and a worker that starts before them waits. Workers that share a transport share its two connections, one to
// take commands and one to send replies: the broker then has fewer to serve, and replies leave together.
func AMQP(url string, prefix ...string) Transport {
	config := rabbit.Config{URL: url, Name: "worker", WorkerOnly: true}
	if len(prefix) > 0 {
		config.Prefix = prefix[0]
	}
	return &amqpTransport{config: config}
}

// amqpTransport is connected for as long as somebody receives.
type amqpTransport struct {
	config rabbit.Config

	mu     sync.Mutex
	broker *rabbit.Broker // nil while nobody receives
	users  int
}

func (a *amqpTransport) Receive(
	ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer,
) error {
	if err := a.config.Validate(); err != nil {
		return err
	}
	err := a.join().Receive(ctx, queue, limit, handle)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	if closed := a.leave(closing); closed != nil {
		err = errors.Join(err, fmt.Errorf("end the worker of queue %s: %w", queue, closed))
	}
	return err
}

// join connects if nobody else has.
func (a *amqpTransport) join() *rabbit.Broker {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users == 0 {
		a.broker = rabbit.Connect(a.config)
	}
	a.users++
	return a.broker
}

// leave closes the connections after the last.
func (a *amqpTransport) leave(ctx context.Context) error {
	a.mu.Lock()
	broker := a.broker
	a.users--
	if a.users > 0 {
		a.mu.Unlock()
		return nil
	}
	a.broker = nil
	a.mu.Unlock()
	return broker.Close(ctx)
}
