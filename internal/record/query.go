package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Filter selects sagas that match all non-nil fields. A zero value differs from nil: it selects sagas with that value.
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
	// Step and ErrorCode select sagas that need attention, by the step that does and the code of its error. An empty text
	// selects those without a step or a code.
	Step      *string
	ErrorCode *string
	// Parent selects the children of a saga.
	Parent *string
	Scope  Scope // only sagas of these definitions
}

// Scoped returns the filter with a Definition instead of a Scope where that selects the same. It is false for a filter
// that selects no saga, because its definition is outside its scope.
func (f Filter) Scoped() (Filter, bool) {
	switch {
	case f.Definition != nil && !f.Scope.Covers(*f.Definition), f.Scope != nil && len(f.Scope) == 0:
		return f, false
	case f.Definition != nil:
		f.Scope = nil
	case len(f.Scope) == 1:
		f.Definition, f.Scope = &f.Scope[0], nil
	}
	return f, true
}

// OfAttention reports whether the filter selects only sagas that need attention.
func (f Filter) OfAttention() bool {
	return f.NeedsAttention || f.AttentionReasons != nil || f.Step != nil || f.ErrorCode != nil
}

// Page is a part of a list, newest first unless the method states otherwise. A method that lists also returns the After
// of the next page: opaque text, empty at the end of the list. A page ends at Limit items, at PageBytes, or after a
// bounded number of rows outside the filter. So it may be short, or even empty, before the end.
type Page struct {
	After string // empty: from the start
	Limit int    // 0: no limit
	Scope Scope  // of lists without a filter of their own: only what the scope covers
}

// PageBytes is the approximate size limit of a page. A page has at least one item, if there is one, however large.
const PageBytes = 4 << 20

// RegisteredDefinition is a stored definition. If Unreadable is non-nil, it wraps ErrUnreadable, and Definition has
// only a name and a version. Only lists return such definitions.
type RegisteredDefinition struct {
	*saga.Definition
	CreatedAt  time.Time
	Unreadable error
}

// Count is the number of sagas of a definition with a status.
type Count struct {
	Definition string
	Status     saga.Status
	Sagas      int64
}

// ThroughputMinutes is the number of minutes in Stats.Minutes.
const ThroughputMinutes = 60

// Minute counts the sagas that started and that ended in the minute that begins at At.
type Minute struct {
	At          time.Time
	Started     int64
	Completed   int64
	Compensated int64
	Abandoned   int64
}

// LastMinutes returns the whole minutes before now, oldest first, without sagas.
func LastMinutes(now time.Time) []Minute {
	minutes := make([]Minute, ThroughputMinutes)
	first := now.UTC().Truncate(time.Minute).Add(-ThroughputMinutes * time.Minute)
	for i := range minutes {
		minutes[i].At = first.Add(time.Duration(i) * time.Minute)
	}
	return minutes
}

// MinuteOf returns the minute of at. It returns nil if at is not in one of the minutes.
func MinuteOf(minutes []Minute, at time.Time) *Minute {
	if len(minutes) == 0 || at.Before(minutes[0].At) {
		return nil
	}
	if i := int(at.Sub(minutes[0].At) / time.Minute); i < len(minutes) {
		return &minutes[i]
	}
	return nil
}

// Ended adds sagas that ended with the status. Other statuses count nowhere.
func (m *Minute) Ended(status saga.Status, sagas int64) {
	switch status {
	case saga.Completed:
		m.Completed += sagas
	case saga.Compensated:
		m.Compensated += sagas
	case saga.Abandoned:
		m.Abandoned += sagas
	case saga.Scheduled, saga.Running, saga.Compensating, saga.Stuck, saga.Paused:
	}
}

// Stats summarizes the state of all sagas.
type Stats struct {
	// CountedAt is when the ended sagas and those of the last minutes were counted. With many sagas a store counts them less
	// often than it is asked. The rest is counted when it is asked.
	CountedAt time.Time
	Counts    []Count
	Attention map[saga.AttentionReason]int64
	// Started and Finished count the sagas of the last minute and hour.
	StartedLastMinute  int64
	StartedLastHour    int64
	FinishedLastMinute int64
	FinishedLastHour   int64
	Minutes            []Minute  // the last ThroughputMinutes whole minutes, oldest first
	OutboxPending      int64     // without the commands that are held back
	OutboxOldest       time.Time // zero: none is pending
	OutboxHeldBack     int64     // by settings of their queues
	DeadLetters        int64
}

// QueueLoad is what the database knows about one worker queue.
type QueueLoad struct {
	Queue       string
	CommandsOut int64     // commands of unfinished sagas that wait for a reply, without those that are held back
	Oldest      time.Time // dispatch time of the oldest of them; zero: none is out
	Unpublished int64     // of those, how many still wait in the outbox
	HeldBack    int64     // commands that the settings of the queue hold back in the outbox
}

// OutboxRow is a command that is not confirmed to be in its queue.
type OutboxRow struct {
	CommandID string
	Queue     string
	CreatedAt time.Time
	RefusedAt time.Time // when the broker last refused it; zero: never
	RetryAt   time.Time // when a refused command is published again; zero: it is being published
	Reason    string    // why the broker refused it
	Attempts  int       // failed attempts to publish it
	HeldBack  bool      // the settings of its queue hold it back
	Before    int64     // how many commands leave before one that is held back, up to MaxBefore
}

// MaxSagasOut is the number of sagas that SagasOut of a store returns.
const MaxSagasOut = 3

// MaxBefore is the largest OutboxRow.Before. At that number there may be more.
const MaxBefore = 10_000
