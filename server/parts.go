package server

import (
	"context"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/events"
	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// storage stores all state, in Postgres or in memory.
type storage interface {
	engine.Store
	relay.Rows
	api.Reads
	api.Bulks
	api.Keys
	operate.Bulks
	operate.OldLetters
	operate.OldSagas
	operate.CheckedQueues
	operate.AuditLog
	events.Rows
	operate.Webhooks
	api.Webhooks
	Queues(ctx context.Context) ([]string, error)
	Close() error
}

// broker delivers commands to workers and replies to the engine, by RabbitMQ or in this process.
type broker interface {
	relay.Publisher
	api.Broker
	steps.Transport
	steps.EventTransport
	events.Publisher
	ConsumeReplies(ctx context.Context, handle func(message wire.Message, settle func(ok bool)))
	ConsumeDead(ctx context.Context, handle func(message wire.Message, settle func(ok bool)))
	Close(ctx context.Context) error
}

// parts opens the store and the broker of the configuration.
func (c Config) parts(ctx context.Context) (storage, broker, error) {
	if c.embedded() {
		kept, err := memory.Open(memory.Config{File: c.File, Fresh: c.Fresh})
		if err != nil {
			return nil, nil, fmt.Errorf("open the embedded store: %w", err)
		}
		if c.SimulateWorkers {
			return kept, newSimulation(local.New()), nil
		}
		return kept, inProcess{local.New()}, nil
	}
	if c.Migrate {
		if err := store.Migrate(ctx, c.DatabaseURL); err != nil {
			return nil, nil, err
		}
	}
	keys, err := c.payloadKeys()
	if err != nil {
		return nil, nil, err
	}
	kept, err := store.Open(ctx, store.Config{DatabaseURL: c.DatabaseURL, Keys: keys})
	if err != nil {
		return nil, nil, err
	}
	if err = kept.CheckSchema(ctx); err == nil {
		err = kept.UsePayloadKeys(ctx)
	}
	if err != nil {
		_ = kept.Close() // the first error is the one to return
		return nil, nil, err
	}
	connection := c.broker()
	if connection.Installation, err = kept.Installation(ctx); err != nil {
		_ = kept.Close() // the first error is the one to return
		return nil, nil, err
	}
	return kept, rabbit.Connect(connection), nil
}

// inProcess adds a Close, which does nothing, to the in-process broker.
type inProcess struct{ *local.Broker }

func (inProcess) Close(context.Context) error { return nil }
