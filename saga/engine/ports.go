package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Store keeps sagas. Everything that a batch of events changes is written by one Transact.
type Store interface {
	// Transact runs one batch in ONE transaction: it deletes the outbox rows in batch.Confirmed, claims the idempotency
	// keys and business keys of batch.Starts, loads and locks the sagas in batch.SagaIDs (in id order), calls decide
	// with what it found, and writes what decide returns. It returns nil only when all of it is committed. An error
	// means that the outcome is unknown. Transact retries serialization failures and deadlocks by itself, so decide
	// must be pure and may be called several times.
	Transact(ctx context.Context, batch Batch, decide func(Loaded) (Changes, error)) error
	// Due returns up to limit ids of sagas whose WakeAt is at or before the store's clock less grace, earliest first.
	Due(ctx context.Context, grace time.Duration, limit int) ([]string, error)
	// Definition returns one registered version. Errors: ErrDefinitionNotFound.
	Definition(ctx context.Context, name string, version int) (*saga.Definition, error)
}

// Batch is what a transaction must load before anything can be decided.
type Batch struct {
	SagaIDs     []string // of existing sagas; each once, in any order
	WithOutbox  []string // those of SagaIDs for which Loaded.Unpublished is wanted
	Starts      []StartClaim
	Confirmed   []saga.CommandID // outbox rows that are done with
	DeadLetters []DeadLetter     // stored whatever decide says; storing the same ID again changes nothing
}

// StartClaim is a saga that is about to be started under keys that must be unique.
type StartClaim struct {
	SagaID         string
	Definition     string
	Key            string // business key: in use by at most one unfinished saga of the definition; empty: none
	IdempotencyKey string // empty: none
	BodyHash       []byte // what the idempotency key stands for
}

// Loaded is what a transaction found. The instances are the caller's to read, not to change.
type Loaded struct {
	Now         time.Time // the store's clock, in UTC and whole microseconds
	Instances   map[string]saga.Instance
	Unpublished map[string]map[string]bool // saga id → ids of its commands that are still in the outbox
	// Starts says, by SagaID, what became of each claim. A claim that found the saga itself already stored (an earlier
	// commit of the same batch whose outcome was unknown) is StartExists with its own id.
	Starts map[string]StartOutcome
}

// StartOutcome is what became of a StartClaim. Only Free leaves its keys claimed; decide must then create the saga.
type StartOutcome struct {
	Kind     StartKind
	Existing string        // id of the saga that holds the key, unless Free
	Instance saga.Instance // that saga, for StartExists
}

// StartKind is the kind of a StartOutcome.
type StartKind int

// The kinds of outcomes.
const (
	StartFree     StartKind = iota // nothing stands in the way
	StartExists                    // the same idempotency key and body: the saga is there already
	StartConflict                  // the idempotency key stands for another body
	StartKeyInUse                  // the business key is in use by an unfinished saga
)

// Changes is what a transaction writes. A saga that reached a terminal status gives its business key back.
type Changes struct {
	Created  []saga.Instance
	Updated  []saga.Instance
	Entries  []SagaEntry
	Commands []wire.Command // outbox rows, claimed by this replica for the lease
}

// SagaEntry is a history entry with the saga that it belongs to.
type SagaEntry struct {
	SagaID string
	saga.Entry
}

// DeadLetter is a message that could not be processed, with its raw bytes.
type DeadLetter struct {
	ID          string // derived from the message, so that a redelivery stores it once; a ULID otherwise
	Source      string // "replies", "commands" or "start"
	Queue       string // where it was to go, or came from
	Reason      string // a stable code: malformed_reply, unknown_saga, unknown_command, rejected, expired, …
	Message     string // for people
	SagaID      string // where known
	CommandID   string // where known
	Headers     json.RawMessage
	Body        []byte
	ReceivedAt  time.Time // by the store's clock; set by the store
	ContentType string
}

// Outbox is the engine's way out: it is handed commands after the transaction that wrote them has committed.
type Outbox interface {
	// Dispatch takes the commands over and returns at once.
	Dispatch(commands []wire.Command)
	// TakeConfirmed returns the ids of commands that reached their queues, for deletion in the next batch. Those that
	// were not deleted after all go back by ReturnConfirmed.
	TakeConfirmed(limit int) []saga.CommandID
	ReturnConfirmed(ids []saga.CommandID)
}
