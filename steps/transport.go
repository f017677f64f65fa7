package steps

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Transport delivers commands to a worker and takes its replies. AMQP returns one for RabbitMQ; package local has one
// for workers in the orchestrator's process.
type Transport interface {
	// Receive calls handle with every command of a worker queue, each in its own goroutine and at most limit at a time,
	// until ctx ends. It then waits for the running calls, settles them and returns. It survives every loss of the
	// broker; an error means that it can never work.
	Receive(ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer) error
}
