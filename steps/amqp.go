package steps

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const closePatience = 5 * time.Second

// AMQPConfig configures the transport over RabbitMQ. Only URL is required.
type AMQPConfig struct {
	URL    string // amqp:// or amqps://, with user and password
	Prefix string // the orchestrator's prefix of all names in RabbitMQ; default: saga
	// SendUserID makes replies carry the user of the URL as user_id, which RabbitMQ verifies. Set it where the orchestrator has
	// lists of repliers.
	SendUserID bool
	Logger     *slog.Logger // logs lost and restored connections; nil: no log
}

// AMQP returns the transport over RabbitMQ. It connects when the first worker runs and keeps reconnecting; only a URL or
// prefix that can never work makes Worker.Run fail.
//
// The RabbitMQ user needs to read the worker's queue and to write to the default exchange. The orchestrator declares the
// queues; a worker that starts before them waits. Workers that share a transport share its two connections, one for
// commands and one for replies.
func AMQP(config AMQPConfig) Transport {
	return &amqpTransport{config: rabbit.Config{
		URL: config.URL, Prefix: config.Prefix, Logger: config.Logger, Name: "worker", WorkerOnly: true, SendUserID: config.SendUserID,
	}}
}

// amqpTransport is connected while at least one worker receives.
type amqpTransport struct {
	config rabbit.Config

	mu     sync.Mutex
	broker *rabbit.Broker // nil without users
	users  int
}

func (a *amqpTransport) Receive(
	ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer,
) error {
	return a.use(ctx, "queue "+queue, func(b *rabbit.Broker) error { return b.Receive(ctx, queue, limit, handle) })
}

// Subscribe delivers lifecycle events. The RabbitMQ user needs to configure, read and write the queue
// <prefix>.events.<name>, and to read the exchange <prefix>.events.
func (a *amqpTransport) Subscribe(ctx context.Context, name string, keys []string, handle func(wire.Message) wire.Answer) error {
	return a.use(ctx, "subscription "+name, func(b *rabbit.Broker) error { return b.Subscribe(ctx, name, keys, handle) })
}

// use calls receive with the shared broker.
func (a *amqpTransport) use(ctx context.Context, what string, receive func(*rabbit.Broker) error) error {
	if err := a.config.Validate(); err != nil {
		return err
	}
	err := receive(a.join())
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	if closed := a.leave(closing); closed != nil {
		err = errors.Join(err, fmt.Errorf("close the connections of %s: %w", what, closed))
	}
	return err
}

// join returns the shared broker; the first user connects.
func (a *amqpTransport) join() *rabbit.Broker {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users == 0 {
		a.broker = rabbit.Connect(a.config)
	}
	a.users++
	return a.broker
}

// leave closes the connections after the last user.
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
