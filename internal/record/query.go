package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
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
