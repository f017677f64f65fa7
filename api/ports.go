package api

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Engine changes sagas and definitions. It returns after the commit.
type Engine interface {
	// Start creates a saga. existed reports that the idempotency key was used before; in is then that saga as it is now.
	// Errors: record.ErrDefinitionNotFound, record.ErrIdempotencyConflict, *record.KeyInUseError,
	// *record.SagaGoneError.
	Start(ctx context.Context, request record.StartRequest) (in saga.Instance, existed bool, err error)
	// Act performs an operator's action. With a *saga.Refusal it returns the saga as it is.
	// Errors: record.ErrSagaNotFound, *saga.Refusal.
	Act(ctx context.Context, sagaID string, action saga.Action) (saga.Instance, error)
	// Signal gives a signal to a saga. With a *saga.Refusal it returns the saga as it is. Errors: as Act.
	Signal(ctx context.Context, sagaID string, signal saga.Signal) (saga.Instance, error)
	// Redrive sends a dead letter to where it was going, which it returns, and deletes it. Errors: *saga.Refusal, and those of Start.
	Redrive(ctx context.Context, letter record.DeadLetter, action saga.Action) (sentTo string, err error)
	// RegisterDefinition stores the definition and declares its queues. created is false if it was already registered.
	RegisterDefinition(ctx context.Context, d *saga.Definition) (kept record.RegisteredDefinition, created bool, err error)
	// Changed delivers the committed saga after each change, by any replica, for which wanted returns true; nil wants every
	// change. A slow receiver gets only the latest one. The saga may start later.
	Changed(sagaID string, wanted func(*saga.Instance) bool) (changed <-chan saga.Instance, cancel func())
	// IsParked reports whether this process has an event of the saga, such as a reply, that cannot be stored.
	IsParked(sagaID string) bool
}

// Sagas reads sagas and what belongs to them. Errors: record.ErrSagaNotFound.
type Sagas interface {
	Saga(ctx context.Context, id string) (record.StoredSaga, error)
	Sagas(ctx context.Context, filter record.Filter, page record.Page) (found []record.StoredSaga, next string, err error)
	History(ctx context.Context, sagaID string, page record.Page) (entries []record.Entry, next string, err error)
	OutboxRows(ctx context.Context, sagaID string) ([]record.OutboxRow, error)
	// SagasOut returns the first sagas of the scope whose commands are out of a capped queue, oldest first.
	SagasOut(ctx context.Context, queue string, scope record.Scope) (ids []string, err error)
	// StartedUnder returns the saga that a start under the key made, and the hash of that start's body; "" for none.
	StartedUnder(ctx context.Context, idempotencyKey string) (sagaID string, bodyHash []byte, err error)
	Backlog(ctx context.Context) (record.Backlog, error)
	QueueProblems(ctx context.Context) ([]record.QueueProblem, error)
	Groups(ctx context.Context, scope record.Scope, definition string) (record.Groups, error)
	Stats(ctx context.Context, scope record.Scope) (record.Stats, error)
	// Unfinished counts the sagas that have not ended.
	Unfinished(ctx context.Context) ([]record.Count, error)
	// Attention counts the sagas that need attention. Groups has the largest of them only.
	Attention(ctx context.Context) ([]record.AttentionCount, error)
	QueueLoads(ctx context.Context) ([]record.QueueLoad, error)
	QueueControls(ctx context.Context) ([]record.QueueControl, error)
	// QueueHealth returns the health of the queues that were checked.
	QueueHealth(ctx context.Context) ([]record.QueueHealth, error)
}

// Definitions reads registered definitions. Errors: record.ErrDefinitionNotFound.
type Definitions interface {
	Definition(ctx context.Context, name string, version int) (*saga.Definition, error)
	DefinitionVersion(ctx context.Context, name string, version int) (record.RegisteredDefinition, error)
	LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error)
	DefinitionVersions(ctx context.Context, name string, page record.Page) (found []record.RegisteredDefinition, next string, err error)
	Definitions(ctx context.Context, page record.Page) (found []record.RegisteredDefinition, next string, err error)
}

// DeadLetters reads messages that could not be processed. Errors: record.ErrDeadLetterNotFound.
type DeadLetters interface {
	DeadLetters(ctx context.Context, filter record.DeadLetterFilter, page record.Page) (found []record.DeadLetter, next string, err error)
	DeadLetter(ctx context.Context, id string) (record.DeadLetter, error)
	// CommandLetters returns the newest dead letter of each of these commands of a saga, without its contents: the command itself, or
	// a reply to it that changed nothing.
	CommandLetters(ctx context.Context, sagaID string, commands []saga.CommandID) ([]record.DeadLetter, error)
}

// Reads is everything that the API reads.
type Reads interface {
	Sagas
	Definitions
	DeadLetters
	Audit
	Ping(ctx context.Context) error
}

// Bulks stores bulk actions and settings. Errors: record.ErrBulkNotFound.
type Bulks interface {
	// CreateBulk returns the bulk action, or that of its idempotency key, which has another id. Errors: record.ErrBulkTooLarge,
	// record.ErrIdempotencyConflict.
	CreateBulk(ctx context.Context, action record.BulkAction, targets record.BulkTargets) (record.BulkAction, error)
	Bulk(ctx context.Context, id string) (record.BulkAction, error)
	Bulks(ctx context.Context, page record.Page) (found []record.BulkAction, next string, err error)
	BulkItems(ctx context.Context, id string, outcome record.BulkOutcome, page record.Page) (found []record.BulkItem, next string, err error)
	ControlBulk(ctx context.Context, id string, control func(*record.BulkAction) error) (record.BulkAction, error)
	DeleteDeadLetter(ctx context.Context, id string) error
	SetDisabled(ctx context.Context, definition string, disabled bool, actor string) (changed bool, err error)
	Disabled(ctx context.Context) ([]string, error)
	// SetQueue changes the settings of a worker queue. Errors: record.ErrQueueNotFound, and those of change.
	SetQueue(ctx context.Context, queue string, change func(*record.QueueSettings) error) (record.QueueSettings, error)
}

// Webhooks stores webhooks. Errors: record.ErrWebhookNotFound.
type Webhooks interface {
	// PutWebhook keeps the secret of an existing webhook unless the new one has a secret; a new one without gets otherwise.
	// Errors: record.ErrTooManyWebhooks.
	PutWebhook(ctx context.Context, hook record.Webhook, otherwise []byte) (kept record.Webhook, created bool, err error)
	Webhook(ctx context.Context, name string) (record.Webhook, error)
	Webhooks(ctx context.Context) ([]record.Webhook, error)
	DeleteWebhook(ctx context.Context, name string) error
}

// Keys stores API keys. Errors: record.ErrKeyNotFound.
type Keys interface {
	CreateKey(ctx context.Context, key record.Key) error
	Keys(ctx context.Context) ([]record.Key, error)
	RevokeKey(ctx context.Context, id string) error
	// RotateKey replaces the secret of a valid key. The one before stays valid for the grace. Errors: record.ErrKeyEnded.
	RotateKey(ctx context.Context, id string, hash []byte, grace time.Duration) (record.Key, error)
	// UseKey records that a key is in use, at most once in record.KeyUseInterval.
	UseKey(ctx context.Context, id string) error
	KeyByHash(ctx context.Context, hash []byte) (record.Key, error)
}

// Audit reads the audit log, which the changes themselves write.
type Audit interface {
	Audit(ctx context.Context, filter record.AuditFilter, page record.Page) (found []record.AuditEntry, next string, err error)
	AuditChain(ctx context.Context) (record.AuditChain, error)
}

// Broker reports the state of worker queues.
type Broker interface {
	Inspect(ctx context.Context, queues []string) (map[string]wire.QueueState, error)
	// Ready returns nil if commands can be published.
	Ready() error
}
