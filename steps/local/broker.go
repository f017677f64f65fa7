package local

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// The names that the queues have in messages; they are those of RabbitMQ with the default prefix.
const (
	repliesQueue   = "saga.replies"
	deadQueue      = "saga.dead"
	commandsPrefix = "saga.commands."
	commandsSource = "saga.commands"
)

// deliveryLimit is how often a message is delivered again before it is a dead letter, as over RabbitMQ.
const deliveryLimit = 4

// Broker carries messages between the orchestrator and workers of the same process. The zero value is not usable; use
// New. All methods may be called at the same time.
type Broker struct {
	mu      sync.Mutex
	workers map[string]*queue
	replies *queue
	dead    *queue
}

// New makes a broker without worker queues.
func New() *Broker {
	return &Broker{workers: make(map[string]*queue), replies: newQueue(true), dead: newQueue(true)}
}

// DeclareQueues makes worker queues, so that commands for them are kept.
func (b *Broker) DeclareQueues(_ context.Context, queues []string) error {
	for _, name := range queues {
		b.worker(name).declare()
	}
	return nil
}

// worker returns the worker queue of that name. One that was not declared can be listened to, and that is all.
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

// Publish puts commands into their queues and says what became of each, in their order.
func (b *Broker) Publish(ctx context.Context, commands []wire.Command) []wire.Receipt {
	receipts := make([]wire.Receipt, len(commands))
	for i := range commands {
		receipts[i] = b.publish(ctx, &commands[i])
	}
	return receipts
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

// Ready returns nil: this broker is there as long as the process is.
func (b *Broker) Ready() error { return nil }
