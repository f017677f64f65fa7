package record

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// MaxDeleted is the largest number of sagas that retention deletes in one transaction.
const MaxDeleted = 400

// RetentionRule is the retention of one outcome of a definition, with the defaults of the server.
type RetentionRule struct {
	Definition string
	Statuses   []saga.Status // of the outcome
	Age        time.Duration // since the end of a saga; 0: no limit
	Count      int           // number of newest sagas that are kept; 0: no limit
}

// Expiry selects sagas that have ended and that retention deletes.
type Expiry struct {
	Definition string
	Statuses   []saga.Status
	Before     time.Time // sagas that ended before; zero: none by age
	Through    string    // sagas up to this id; empty: none by number
}

// Selects reports whether a saga that has ended is selected.
func (e Expiry) Selects(id string, finishedAt time.Time) bool {
	return finishedAt.Before(e.Before) || id <= e.Through
}

// Last returns an id that no selected saga exceeds: a saga whose id was made after Before has ended after Before. It
// returns "" if nothing is selected.
func (e Expiry) Last() string {
	if e.Before.UnixMilli() <= 0 {
		return e.Through
	}
	var last ulid.ULID
	for i := range last {
		last[i] = 0xff
	}
	if err := last.SetTime(uint64(e.Before.UnixMilli())); err != nil {
		return e.Through
	}
	return max(e.Through, last.String())
}

// Deletion deletes those of the sagas that Expiry still selects, that need no attention, and of which no command waits in
// the outbox.
type Deletion struct {
	Expiry
	IDs      []string
	Versions []string      // unless nil: only sagas that are still at one of these versions
	KeepKeys time.Duration // how long idempotency keys stay after the end of their saga; 0: no limit
}

// SagaWithHistory is a saga as one snapshot shows it.
type SagaWithHistory struct {
	StoredSaga
	History []Entry
	Version string // changes with every write
}
