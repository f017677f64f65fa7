package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

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
	Version        int    // of the definition; it must be stored
	Latest         bool   // Version was taken for the latest one: Loaded.Newer holds the newer one if it is not
	Key            string // business key: in use by at most one unfinished saga of the definition; empty: none
	IdempotencyKey string // empty: none
	BodyHash       []byte // what the idempotency key stands for
}

// Loaded is what a transaction found. The instances are the caller's to read, not to change.
type Loaded struct {
	Now       time.Time // the store's clock, in UTC and whole microseconds
	Instances map[string]saga.Instance
	// Unreadable holds, by saga id, why a saga that is there cannot be read. Each error wraps ErrUnreadable.
	Unreadable map[string]error
	// Busy are sagas that are there and were not loaded: another replica is changing them, or the batch was full. Ask
	// again later.
	Busy        map[string]bool
	Unpublished map[string]map[string]bool // saga id → ids of its commands that are still in the outbox
	// Starts says, by SagaID, what became of each claim. A claim that found the saga itself already stored (an earlier
	// commit of the same batch whose outcome was unknown) is StartExists with its own id.
	Starts map[string]StartOutcome
	// Newer holds, by name, the latest versions of definitions of which a claim gives an older one as the latest.
	Newer map[string]int
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
	StartFree      StartKind = iota // nothing stands in the way
	StartExists                     // the same idempotency key and body: the saga is there already
	StartConflict                   // the idempotency key stands for another body
	StartKeyInUse                   // the business key is in use by an unfinished saga
	StartUndefined                  // that version of the definition is not stored
)

// Changes is what a transaction writes. A saga that reached a terminal status gives its business key back.
type Changes struct {
	Created []saga.Instance
	Updated []saga.Instance
	// Abandoned are sagas on which the core cannot decide. One that has ended already stays as it is.
	Abandoned []Abandonment
	Entries   []Entry
	Commands  []wire.Command // outbox rows, claimed by this replica for the lease
	// DeadLetters are messages that turned out to be meant for no saga; as those of the Batch.
	DeadLetters []DeadLetter
}

// Entry is a history entry with the saga that it belongs to.
type Entry struct {
	SagaID string
	saga.Entry
}
