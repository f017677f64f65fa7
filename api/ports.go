package api

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Engine changes sagas and definitions. What it answers is committed.
type Engine interface {
	// Start creates a saga; existed says that the idempotency key found one instead, returned as it is now.
	// Errors: record.ErrDefinitionNotFound, record.ErrIdempotencyConflict, *record.KeyInUseError.
	Start(ctx context.Context, request record.StartRequest) (in saga.Instance, existed bool, err error)
	// Act takes what a person asks for. With a *saga.Refusal comes the saga as it stands.
	// Errors: record.ErrSagaNotFound, *saga.Refusal.
	Act(ctx context.Context, sagaID string, action saga.Action) (saga.Instance, error)
	// RegisterDefinition stores the definition and declares its queues; created is false when it was there already.
	RegisterDefinition(ctx context.Context, d *saga.Definition) (kept record.RegisteredDefinition, created bool, err error)
	// Changed gives the saga as it was committed after each change that is wanted, by whichever replica; nil wants all. Only
	// the latest is kept for who is slow. The saga need not be there yet.
	Changed(sagaID string, wanted func(*saga.Instance) bool) (changed <-chan saga.Instance, cancel func())
}

// Sagas reads what is kept of sagas. Errors: record.ErrSagaNotFound.
type Sagas interface {
	Saga(ctx context.Context, id string) (record.StoredSaga, error)
	Sagas(ctx context.Context, filter record.Filter, page record.Page) (found []record.StoredSaga, next string, err error)
	History(ctx context.Context, sagaID string, page record.Page) (entries []record.Entry, next string, err error)
	OutboxRows(ctx context.Context, sagaID string) ([]record.OutboxRow, error)
	Backlog(ctx context.Context) (record.Backlog, error)
	QueueProblems(ctx context.Context) ([]record.QueueProblem, error)
	Stats(ctx context.Context) (record.Stats, error)
	QueueLoads(ctx context.Context) ([]record.QueueLoad, error)
}

// Definitions reads registered definitions. Errors: record.ErrDefinitionNotFound.
type Definitions interface {
	Definition(ctx context.Context, name string, version int) (*saga.Definition, error)
	DefinitionVersion(ctx context.Context, name string, version int) (record.RegisteredDefinition, error)
	LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error)
	DefinitionVersions(ctx context.Context, name string, page record.Page) (found []record.RegisteredDefinition, next string, err error)
	Definitions(ctx context.Context, page record.Page) (found []record.RegisteredDefinition, next string, err error)
}

// DeadLetters reads what was put aside. Errors: record.ErrDeadLetterNotFound.
type DeadLetters interface {
	DeadLetters(ctx context.Context, page record.Page) (found []record.DeadLetter, next string, err error)
	DeadLetter(ctx context.Context, id string) (record.DeadLetter, error)
}

// Reads is everything that the API reads, from one database.
type Reads interface {
	Sagas
	Definitions
	DeadLetters
	Ping(ctx context.Context) error
}

// Keys keeps API keys. Errors: record.ErrKeyNotFound.
type Keys interface {
	CreateKey(ctx context.Context, key record.Key) error
	Keys(ctx context.Context) ([]record.Key, error)
	RevokeKey(ctx context.Context, id string) error
	KeyByHash(ctx context.Context, hash []byte) (record.Key, error)
}

// Broker is asked about worker queues.
type Broker interface {
	Inspect(ctx context.Context, queues []string) (map[string]wire.QueueState, error)
	// Ready is nil when commands can be published.
	Ready() error
}
