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
	consuming  *link
	topology   *topology // nil when there is nothing to declare
	publisher  *publisher

	cancel context.CancelFunc
	runs   sync.WaitGroup
}

// Connect returns at once and keeps connecting until Close. Ready tells how it goes. Use Config.Validate first for what
// will never work.
func Connect(config Config) *Broker {
	config = config.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broker{
		config: config, names: names{config.Prefix}, cancel: cancel,
		publishing: newLink(config, "publish"), consuming: newLink(config, "consume"),
	}
	if !config.WorkerOnly {
		b.topology = newTopology(b.consuming, config)
		b.runs.Go(func() { b.topology.run(ctx) })
	}
	b.publisher = newPublisher(b.publishing, b.topology, config)
	b.runs.Go(func() { b.publishing.run(ctx) })
	b.runs.Go(func() { b.consuming.run(ctx) })
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

// Ready returns nil when commands can be published, replies can be consumed and everything that the orchestrator needs
// is declared; else an error that says what is missing, without any secret.
func (b *Broker) Ready() error {
	faults := []error{b.publisher.ready(), b.consuming.ready()}
	if b.topology != nil {
		faults = append(faults, b.topology.ready())
	}
	return errors.Join(faults...)
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

// Publish sends commands and says what became of each, in their order. It returns within Config.Timeout.
func (b *Broker) Publish(ctx context.Context, commands []wire.Command) []wire.Receipt {
	now := time.Now()
	messages := make([]outgoing, len(commands))
	for i := range commands {
		messages[i] = b.command(&commands[i], now)
	}
	return b.publisher.publish(ctx, messages)
}
