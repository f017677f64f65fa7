package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Batch is what a transaction must load before the core can decide.
type Batch struct {
	SagaIDs     []string // of existing sagas, each once, in any order
	WithOutbox  []string // those of SagaIDs that need Loaded.Unpublished and Loaded.HeldBack
	Starts      []StartClaim
	Bulk        []BulkRef        // targets of bulk actions that the batch decides
	Redrives    []string         // ids of dead letters that the batch redrives
	Confirmed   []saga.CommandID // outbox rows to delete
	DeadLetters []DeadLetter     // stored whatever decide returns; storing an ID again changes nothing
}

// StartClaim claims the unique keys of a saga that is about to start.
type StartClaim struct {
	SagaID         string
	Definition     string
	Version        int    // of the definition; it must be stored
	Latest         bool   // Version was assumed to be the latest; if it is not, Loaded.Newer holds the latest
	Key            string // business key: in use by at most one unfinished saga of the definition; empty: none
	IdempotencyKey string // empty: none
	BodyHash       []byte // of the request that the idempotency key stands for
	Child          bool   // it starts even if its definition is disabled
}

// Loaded is what a transaction found. The caller must not modify the instances.
type Loaded struct {
	Now       time.Time // by the clock of the store, in UTC and whole microseconds
	Instances map[string]saga.Instance
	// Unreadable holds, by id, the sagas that exist but cannot be read, with their readable part.
	Unreadable map[string]StoredSaga
	// Busy holds existing sagas that were not loaded: another replica is changing them, or the batch was full. Retry
	// later.
	Busy        map[string]bool
	Unpublished map[string]map[string]bool // saga id → ids of its commands still in the outbox
	// HeldBack holds those of Unpublished that settings of their queue hold back and that were never sent, by saga id.
	HeldBack map[string]map[string]bool
	// Starts holds the result of each claim, by SagaID. A claim that found its own saga stored, by an earlier commit of
	// the same batch with an unknown outcome, is StartExists with its own id.
	Starts map[string]StartOutcome
	// BulkOver holds those of Batch.Bulk that must not be decided. It stays true until the transaction ends.
	BulkOver map[BulkRef]bool
	// LettersGone holds those of Batch.Redrives that do not exist any more. The others exist until the transaction ends.
	LettersGone map[string]bool
	// Newer holds, by name, the latest version of definitions for which a claim assumed an older one.
	Newer map[string]int
}

// StartOutcome is the result of a StartClaim. Only StartFree claims the keys; decide must then create the saga.
type StartOutcome struct {
	Kind     StartKind
	Existing string        // id of the saga that holds the key, unless StartFree
	Instance saga.Instance // that saga, for StartExists
}

// StartKind is the kind of a StartOutcome.
type StartKind int

// The kinds of outcomes.
const (
	StartFree      StartKind = iota // the keys are free
	StartExists                     // a saga with the same idempotency key and body exists
	StartConflict                   // the idempotency key stands for another body
	StartKeyInUse                   // an unfinished saga holds the business key
	StartUndefined                  // that version of the definition is not stored
	StartDisabled                   // the definition is disabled
	StartGone                       // the saga with the same idempotency key and body is deleted
)

// Changes is what a transaction writes. A saga that reaches a terminal status releases its business key.
type Changes struct {
	Created []saga.Instance
	Updated []saga.Instance
	// Abandoned holds sagas on which the core cannot decide. A saga that has ended already does not change.
	Abandoned []Abandonment
	Entries   []Entry
	Results   []BulkResult
	Redriven  []wire.Command // outbox rows as Commands; an existing one does not change
	Discarded []string       // ids of dead letters to delete
	Events    []Event        // each once for each sink
	Audit     []AuditEntry   // of changes by callers
	Commands  []wire.Command // outbox rows, claimed by this replica for the lease
	// Withdrawn holds commands of Loaded.HeldBack to delete. If one has left the outbox meanwhile, the transaction is tried
	// again.
	Withdrawn []saga.CommandID
	// Answered holds commands that are not out any more although their sagas, on which no decision is possible, await them.
	Answered []saga.CommandID
	// DeadLetters are messages that cannot be applied to a saga, and dead commands whose queue only the definition knows; stored as
	// those of the Batch.
	DeadLetters []DeadLetter
}

// Entry is a history entry with the id of its saga.
type Entry struct {
	SagaID string
	saga.Entry
}
