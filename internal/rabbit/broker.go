package rabbit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Broker is a connection to RabbitMQ that is kept up until Close. All methods are safe for concurrent use.
type Broker struct {
	config     Config
	names      names
	publishing *link
	declaring  *link     // for what is never urgent: declarations and inspections
	userID     string    // of the replies; empty: none
	topology   *topology // nil if there is nothing to declare
	publisher  *publisher
	events     *publisher       // of lifecycle events; nil for a worker
	check      *deadLetterCheck // nil for a worker, and with classic queues

	inspecting chan struct{} // a semaphore: has a value while queues are inspected

	mu        sync.Mutex
	consumers map[string]*link // by queue

	ending context.Context // done once the Broker is closed
	cancel context.CancelFunc
	runs   sync.WaitGroup
}

// Connect returns at once and keeps connecting until Close. Ready reports the state. Call Config.Validate first: it
// finds what can never work.
func Connect(config Config) *Broker {
	config = config.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broker{
		config: config, names: names{config.Prefix}, ending: ctx, cancel: cancel,
		publishing: newLink(config, "publish"), declaring: newLink(config, "declare"),
		inspecting: make(chan struct{}, 1), consumers: make(map[string]*link),
	}
	if uri, err := amqp.ParseURI(config.URL); err == nil && config.SendUserID {
		b.userID = uri.Username
	}
	if !config.WorkerOnly {
		b.topology = newTopology(b.declaring, config)
		b.runs.Go(func() { b.declaring.run(ctx) })
		b.runs.Go(func() { b.topology.run(ctx) })
		b.events = newPublisher(b.publishing, b.topology, config, b.names)
		b.runs.Go(func() { b.events.run(ctx) })
		if config.QueueType == Quorum {
			b.check = newDeadLetterCheck(newLink(config, "check"), config)
			b.runs.Go(func() { b.check.run(ctx) })
		}
	}
	b.publisher = newPublisher(b.publishing, b.topology, config, b.names)
	b.runs.Go(func() { b.publishing.run(ctx) })
	b.runs.Go(func() { b.publisher.run(ctx) })
	return b
}

// Close ends the connections and consumers and waits for that until ctx ends. To have unsettled messages settled, end
// the consumers by their contexts first.
func (b *Broker) Close(ctx context.Context) error {
	b.cancel()
	ended := make(chan struct{})
	go func() { // ends with the runs, which have their own limits
		b.runs.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the connections to RabbitMQ: %w", ctx.Err())
	}
}

// Ready returns nil if commands can be published, every consumed queue has its connection, and everything that the
// orchestrator needs is declared. Otherwise the error says what is missing, without any secret.
func (b *Broker) Ready() error {
	faults := []error{b.CanPublish()}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, link := range b.consumers {
		faults = append(faults, b.explained(link.ready()))
	}
	return errors.Join(faults...)
}

// CanPublish returns nil if commands can be published. A lost consumer does not stop publishing.
func (b *Broker) CanPublish() error {
	if b.topology != nil {
		return b.explained(errors.Join(b.topology.ready(), b.publisher.ready()))
	}
	return b.explained(b.publisher.ready())
}

// Connections returns the problem of each connection, by purpose; nil: none.
func (b *Broker) Connections() map[string]error {
	states := make(map[string]error)
	if b.publisher.ready() == nil {
		states["publish"] = nil
	} else {
		states["publish"] = b.CanPublish() // nothing is published before everything is declared
	}
	if b.topology != nil {
		states["declare"] = b.explained(errors.Join(b.declaring.ready(), b.topology.ready()))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for queue, link := range b.consumers {
		states["consume "+queue] = b.explained(link.ready())
	}
	return states
}

// Mismatched returns the names of exchanges and queues that exist with other properties than those declared, such as "queue
// saga.replies". They are used as they are, and may not be as safe.
func (b *Broker) Mismatched() []string {
	if b.topology == nil {
		return nil
	}
	b.topology.mu.Lock()
	defer b.topology.mu.Unlock()
	return slices.Clone(b.topology.mismatched)
}

// Undeclared returns why the broker did not declare a worker queue when this process last asked it to; nil: it did, or that is not known.
func (b *Broker) Undeclared(queue string) error {
	if b.topology == nil {
		return nil
	}
	b.topology.mu.Lock()
	defer b.topology.mu.Unlock()
	return b.explained(b.topology.refused["queue "+b.names.worker(queue)])
}

// DeclareQueues creates and binds worker queues. It remembers them: what cannot be declared now is declared with the
// next connection. A queue that exists with other properties is used as it is, and the error is an ErrMismatch that
// names it.
func (b *Broker) DeclareQueues(ctx context.Context, queues []string) error {
	if b.topology == nil {
		return errors.New("declare queues: a worker's connection declares nothing")
	}
	return b.topology.add(ctx, queues)
}

// Publish sends commands and calls settle with the receipt of each, exactly once: before it returns, or soon afterwards
// from another goroutine if a queue is slow to confirm. settle must not block.
func (b *Broker) Publish(ctx context.Context, commands []wire.Command, settle func(i int, receipt wire.Receipt)) {
	now := time.Now()
	messages := make([]outgoing, len(commands))
	for i := range commands {
		messages[i] = b.command(&commands[i], now)
	}
	b.publisher.publish(ctx, messages, func(i int, receipt wire.Receipt) {
		if receipt.Outcome == wire.Returned {
			b.publisher.redeclare()
		}
		settle(i, receipt)
	})
}

// PublishAlone sends one command on its own channel, for a command over which the broker closes channels.
func (b *Broker) PublishAlone(ctx context.Context, command *wire.Command) wire.Receipt {
	if err := b.CanPublish(); err != nil {
		return unconfirmed(err)
	}
	return b.publisher.publishAlone(ctx, b.command(command, time.Now()))
}
