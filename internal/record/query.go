package record

import (
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Conditions that a reader meets. Stores wrap them; callers ask with errors.Is.
var (
	ErrSagaNotFound       = errors.New("saga not found")
	ErrDefinitionNotFound = errors.New("definition not found")
	ErrDeadLetterNotFound = errors.New("dead letter not found")
	ErrKeyNotFound        = errors.New("key not found")
	// ErrPageNotFound means that Page.After is not a position in the list: start at the first page again.
	ErrPageNotFound = errors.New("page not found")
	// ErrRejected means that a store will never take what it was given, however often it is tried.
	ErrRejected = errors.New("rejected by the store")
)

// Filter selects sagas. Fields that are nil select all sagas; all others must hold. A zero value is not the same as
// nil: it selects what has that value.
type Filter struct {
	Definition       *string
	Version          *int
	Statuses         []saga.Status
	Key              *string
	Labels           map[string]string
	CreatedAfter     *time.Time
	CreatedBefore    *time.Time
	NeedsAttention   bool
	AttentionReasons []saga.AttentionReason
}

// Page is a stretch of a list, newest first unless the method says otherwise. A method that lists returns, beside the
// items, the After of the next page: opaque text, empty at the end of the list. A page ends at Limit items, at PageBytes,
// or after a bounded number of rows that the filter does not select. So it may be short, or even empty, before the end.
type Page struct {
	After string // empty: from the start
	Limit int    // 0: none
}

// PageBytes is the size at which a page ends, about. A page has at least one item, however large, if there is one.
const PageBytes = 4 << 20

// RegisteredDefinition is a definition as it is kept. If Unreadable is non-nil (it wraps ErrUnreadable), Definition has a
// name and a version only. Only lists return such definitions.
type RegisteredDefinition struct {
	*saga.Definition
	CreatedAt  time.Time
	Unreadable error
}

// Count is how many sagas of a definition have a status.
type Count struct {
	Definition string
	Status     saga.Status
	Sagas      int64
}

// Stats is the state of all sagas at a glance.
type Stats struct {
	Counts    []Count
	Attention map[saga.AttentionReason]int64
	// Started and Finished count the sagas of the last minute and the last hour: the throughput.
	StartedLastMinute  int64
	StartedLastHour    int64
	FinishedLastMinute int64
	FinishedLastHour   int64
	OutboxPending      int64
	OutboxOldest       time.Time // zero: the outbox is empty
	DeadLetters        int64
}

// QueueLoad is what the database knows of one worker queue.
type QueueLoad struct {
	Queue       string
	CommandsOut int64     // commands of unfinished sagas that wait for a reply
	Oldest      time.Time // when the oldest of them was dispatched; zero: none is out
	Unpublished int64     // of those, how many still wait in the outbox
}

// OutboxRow is a command that has not been confirmed to be in its queue.
type OutboxRow struct {
	CommandID string
	Queue     string
	CreatedAt time.Time
	RefusedAt time.Time // when the broker refused it last; zero: never
	RetryAt   time.Time // when it is published again, if it was refused; zero: it is being published
	Reason    string    // why the broker refused it
	Attempts  int       // attempts to publish it that failed
}

// Role is what a key may do; each role includes the one before it.
type Role string

// The roles, weakest first.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// Includes says whether a holder of role r may do what needs the role wanted.
func (r Role) Includes(wanted Role) bool {
	rank := map[Role]int{Viewer: 1, Operator: 2, Admin: 3}
	return rank[r] > 0 && rank[r] >= rank[wanted]
}

// Key is an API key without its secret, of which only the hash is kept.
type Key struct {
	ID        string // a ULID
	Name      string
	Role      Role
	Hash      []byte // SHA-256 of the key
	CreatedAt time.Time
	RevokedAt time.Time // zero: valid
}
