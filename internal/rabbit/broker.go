package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Broker is RabbitMQ, for as long as it is not closed. All methods may be called at the same time.
type Broker struct {
	config     Config
	names      names
	publishing *link
	declaring  *link     // for what nothing depends on at once: declarations and inspections
	topology   *topology // nil when there is nothing to declare
	publisher  *publisher

	inspecting chan struct{} // holds an element while queues are inspected

	mu        sync.Mutex
	consumers map[string]*link // by queue

	ending context.Context // done when the Broker is closed
	cancel context.CancelFunc
	runs   sync.WaitGroup
}

// Connect returns at once and keeps connecting until Close. Ready reports how it goes. Use Config.Validate first for
// what will never work.
func Connect(config Config) *Broker {
	config = config.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broker{
		config: config, names: names{config.Prefix}, ending: ctx, cancel: cancel,
		publishing: newLink(config, "publish"), declaring: newLink(config, "declare"),
		inspecting: make(chan struct{}, 1), consumers: make(map[string]*link),
	}
	if !config.WorkerOnly {
		b.topology = newTopology(b.declaring, config)
		b.runs.Go(func() { b.declaring.run(ctx) })
		b.runs.Go(func() { b.topology.run(ctx) })
	}
	b.publisher = newPublisher(b.publishing, b.topology, config, b.names)
	b.runs.Go(func() { b.publishing.run(ctx) })
	b.runs.Go(func() { b.publisher.run(ctx) })
	return b
}

// Close ends the connections and waits for that until ctx ends. Consumers end with it, so end them first by their
// contexts if what they hold is to be settled.
func (b *Broker) Close(ctx context.Context) error {
	b.cancel()
	ended := make(chan struct{})
	go func() { // ends with the runs, which bound their own ends
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

// Ready returns nil when commands can be published, every queue that is consumed has its connection, and everything
// that the orchestrator needs is declared; else an error that says what is missing, without any secret.
func (b *Broker) Ready() error {
	faults := []error{b.CanPublish()}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, link := range b.consumers {
		faults = append(faults, link.ready())
	}
	return errors.Join(faults...)
}

// CanPublish returns nil when commands can be published. Losing a consumer does not stop publishing.
func (b *Broker) CanPublish() error {
	if b.topology != nil {
		return errors.Join(b.topology.ready(), b.publisher.ready())
	}
	return b.publisher.ready()
}

// Connections returns what is wrong with each connection, by purpose: nil where nothing is.
func (b *Broker) Connections() map[string]error {
	states := map[string]error{"publish": b.publisher.ready()}
	if b.topology != nil {
		states["declare"] = errors.Join(b.declaring.ready(), b.topology.ready())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for queue, link := range b.consumers {
		states["consume "+queue] = link.ready()
	}
	return states
}

// DeclareQueues makes worker queues exist and bound. They are remembered: what cannot be declared now is declared with
// the next connection. A queue that exists with other properties gives an error that is ErrMismatch and names it; it is
// used as it is.
func (b *Broker) DeclareQueues(ctx context.Context, queues []string) error {
	if b.topology == nil {
		return errors.New("declare queues: a worker's connection declares nothing")
	}
	return b.topology.add(ctx, queues)
}

// Publish sends commands and reports the receipt of each, once, by settle: until it returns, or from another goroutine
// soon afterwards if a queue is slow to confirm. settle must not block.
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

// PublishAlone sends one command on a channel of its own, for one over which the broker closes channels.
func (b *Broker) PublishAlone(ctx context.Context, command *wire.Command) wire.Receipt {
	if err := b.CanPublish(); err != nil {
		return unconfirmed(err)
	}
	return b.publisher.publishAlone(ctx, b.command(command, time.Now()))
}
