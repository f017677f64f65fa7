package steps

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Transport brings commands to a worker and takes its replies away. AMQP makes one for RabbitMQ; package local has one
// for workers in the orchestrator's own process.
type Transport interface {
	// Receive calls handle with every command of a worker queue, each in a goroutine of its own and no more than limit
	// at a time, until ctx ends. It then takes no more, waits for the calls that have begun, settles them and returns.
	// It goes on through every loss of the broker; an error means that it cannot work at all.
	Receive(ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer) error
}
