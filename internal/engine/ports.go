package engine

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Store keeps sagas. One Transact writes everything that a batch of events changes.
type Store interface {
	// Transact runs one batch in ONE transaction. It deletes the outbox rows in batch.Confirmed, claims the keys of
	// batch.Starts, loads and locks those sagas of batch.SagaIDs that no other replica has locked, calls decide, and
	// writes its result. It returns nil only after the commit; an error means that the outcome is unknown. Transact
	// retries serialization failures and deadlocks, so decide must be pure and may be called several times.
	Transact(ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error)) error
	// Due returns up to limit sagas whose WakeAt is at least grace before the time of the store, in the order of
	// (WakeAt, SagaID), after the given position. The zero position is the start.
	Due(ctx context.Context, grace time.Duration, after record.DueSaga, limit int) ([]record.DueSaga, error)
	// TryChange reports why changes of a saga cannot be stored, without one. nil: they can, as far as that shows. Error:
	// record.ErrSagaNotFound, if that cannot be told.
	TryChange(ctx context.Context, sagaID string) error
	// Saga returns one saga. An unreadable one is returned with its readable part. Error: record.ErrSagaNotFound.
	Saga(ctx context.Context, id string) (record.StoredSaga, error)
	// History returns a saga's entries, oldest first. Error: record.ErrSagaNotFound, if it has none.
	History(ctx context.Context, sagaID string, page record.Page) (entries []record.Entry, next string, err error)
	// Changed returns the sagas whose revision is higher than the given one.
	Changed(ctx context.Context, revisions map[string]int64) ([]saga.Instance, error)
	// Definition returns one registered version. Error: record.ErrDefinitionNotFound.
	Definition(ctx context.Context, name string, version int) (*saga.Definition, error)
	// LatestDefinition returns the newest version. Error: record.ErrDefinitionNotFound.
	LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error)
	// PutDefinition registers a definition. created is false if the latest version is equal to it.
	PutDefinition(ctx context.Context, def *saga.Definition) (latest record.RegisteredDefinition, created bool, err error)
}

// Queues declares the queues of workers.
type Queues interface {
	// DeclareQueues ensures that these worker queues exist. While the broker is down it remembers them for later.
	DeclareQueues(ctx context.Context, queues []string) error
}

// Outbox publishes commands after the transaction that wrote them has committed.
type Outbox interface {
	// Hold sets Held of the commands that the settings of their queues hold back. It does not block.
	Hold(commands []wire.Command)
	// Dispatch takes over the commands. It does not block.
	Dispatch(commands []wire.Command)
	// Await returns when there is room for more commands, or after a moment: a slow broker slows the input down.
	Await(ctx context.Context)
	// TakeConfirmed returns up to most ids of commands that reached their queues, for deletion; none if there are fewer
	// than least. Return ids that were not deleted with ReturnConfirmed.
	TakeConfirmed(least, most int) []saga.CommandID
	ReturnConfirmed(ids []saga.CommandID)
}
