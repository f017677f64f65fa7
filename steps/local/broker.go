package local

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// The names of the queues in messages: those of RabbitMQ with the default prefix.
const (
	repliesQueue   = "saga.replies"
	deadQueue      = "saga.dead"
	commandsPrefix = "saga.commands."
	commandsSource = "saga.commands"
)

// deliveryLimit is the number of redeliveries after which a message becomes a dead letter, as over RabbitMQ.
const deliveryLimit = 4

// Broker carries messages between the orchestrator and the workers of one process. Create it with New. All methods are
// safe for concurrent use.
type Broker struct {
	mu      sync.Mutex
	workers map[string]*queue
	replies *queue
	dead    *queue

	subscribers subscribers
}

// New returns a broker without worker queues.
func New() *Broker {
	return &Broker{workers: make(map[string]*queue), replies: newQueue(true), dead: newQueue(true)}
}

// DeclareQueues creates worker queues that do not exist yet.
func (b *Broker) DeclareQueues(_ context.Context, queues []string) error {
	for _, name := range queues {
		b.worker(name).declare()
	}
	return nil
}

// worker returns a worker queue. A queue that was not declared can be consumed from, but takes no commands.
func (b *Broker) worker(name string) *queue {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.workers[name]
	if found == nil {
		found = newQueue(false)
		b.workers[name] = found
	}
	return found
}

// Publish puts commands into their queues and calls settle with the receipt of each, in order. settle may be nil.
func (b *Broker) Publish(ctx context.Context, commands []wire.Command, settle func(i int, receipt wire.Receipt)) {
	for i := range commands {
		if receipt := b.publish(ctx, &commands[i]); settle != nil {
			settle(i, receipt)
		}
	}
}

// PublishAlone puts one command into its queue.
func (b *Broker) PublishAlone(ctx context.Context, command *wire.Command) wire.Receipt {
	return b.publish(ctx, command)
}

func (b *Broker) publish(ctx context.Context, command *wire.Command) wire.Receipt {
	if err := ctx.Err(); err != nil {
		return wire.Receipt{Outcome: wire.Unconfirmed, Reason: err.Error()}
	}
	queue := b.worker(command.Queue)
	if !queue.state().Exists {
		return wire.Receipt{Outcome: wire.Returned, Reason: "no queue " + commandsPrefix + command.Queue}
	}
	message := command.Message(repliesQueue, time.Now())
	message.Queue = commandsPrefix + command.Queue
	message.Body = bytes.Clone(message.Body)
	queue.push(message, command.Priority)
	return wire.Receipt{Outcome: wire.Confirmed}
}

// Inspect returns the state of worker queues.
func (b *Broker) Inspect(_ context.Context, queues []string) (map[string]wire.QueueState, error) {
	states := make(map[string]wire.QueueState, len(queues))
	for _, name := range queues {
		states[name] = b.worker(name).state()
	}
	return states, nil
}

// Ready returns nil: this broker is always available.
func (b *Broker) Ready() error { return nil }

// CanPublish returns nil, like Ready.
func (b *Broker) CanPublish() error { return nil }
