package api_test

import (
	"context"
	"sync"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// betweenSagas delivers messages between sagas to the engine, as a server does, and publishes commands.
type betweenSagas struct {
	relay.Publisher
	engine  func() *engine.Engine
	running *sync.WaitGroup
}

func (b betweenSagas) Publish(ctx context.Context, commands []wire.Command, settle func(i int, receipt wire.Receipt)) {
	for i := range commands {
		if commands[i].Queue != wire.BetweenSagas {
			b.Publisher.Publish(ctx, commands[i:i+1], func(_ int, receipt wire.Receipt) { settle(i, receipt) })
			continue
		}
		b.running.Go(func() {
			receipt := wire.Receipt{Outcome: wire.Confirmed}
			if err := b.engine().Deliver(ctx, &commands[i]); err != nil {
				receipt = wire.Receipt{Outcome: wire.Unconfirmed, Reason: err.Error()}
			}
			settle(i, receipt)
		})
	}
}
