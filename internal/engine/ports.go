package engine

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Store keeps sagas. Everything that a batch of events changes is written by one Transact.
type Store interface {
	// Transact runs one batch in ONE transaction: it deletes the outbox rows in batch.Confirmed, claims the idempotency
	// keys and business keys of batch.Starts, loads and locks the sagas in batch.SagaIDs that nobody else has locked,
	// calls decide with what it found, and writes what decide returns. It returns nil only when all of it is committed. An error
	// means that the outcome is unknown. Transact retries serialization failures and deadlocks by itself, so decide
	// must be pure and may be called several times.
	Transact(ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error)) error
	// Due returns up to limit sagas whose WakeAt is at or before the store's clock less grace, in the order of
	// (WakeAt, SagaID) after the given position. The zero value is the start.
	Due(ctx context.Context, grace time.Duration, after record.DueSaga, limit int) ([]record.DueSaga, error)
	// Changed returns those of the sagas that are there at a higher revision than the one given.
	Changed(ctx context.Context, revisions map[string]int64) ([]saga.Instance, error)
	// Definition returns one registered version. Errors: record.ErrDefinitionNotFound.
	Definition(ctx context.Context, name string, version int) (*saga.Definition, error)
	// LatestDefinition returns the newest version. Errors: record.ErrDefinitionNotFound.
	LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error)
	// PutDefinition registers a plan; created is false where the latest version is the same plan.
	PutDefinition(ctx context.Context, def *saga.Definition) (latest record.RegisteredDefinition, created bool, err error)
}

// Queues is where commands go: whoever declares the queues of a definition's steps.
type Queues interface {
	// DeclareQueues makes sure that these worker queues exist; what it cannot do now it does when the broker is back.
	DeclareQueues(ctx context.Context, queues []string) error
}

// Outbox is the engine's way out: it is handed commands after the transaction that wrote them has committed.
type Outbox interface {
	// Dispatch takes the commands over and returns at once.
	Dispatch(commands []wire.Command)
	// Await returns when there is room for more, or after a moment: a slow broker slows those who bring events.
	Await(ctx context.Context)
	// TakeConfirmed returns the ids of commands that reached their queues, for deletion: at most so many, and none where
	// there are fewer than least. Those that were not deleted after all go back by ReturnConfirmed.
	TakeConfirmed(least, most int) []saga.CommandID
	ReturnConfirmed(ids []saga.CommandID)
}
