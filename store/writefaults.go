package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	// writesFailing is the least number of batches that fail one after the other, and failingFor the least time from the first to the
	// last of them, before no saga counts as startable, or as able to change.
	writesFailing = 3
	failingFor    = 2 * time.Second
	// failedFor is how long that holds without another attempt.
	failedFor = 15 * time.Second
)

// writeFaults notes batches that the database refuses for a reason of its own, such as a trigger. No statement that writes
// nothing would find that.
type writeFaults struct {
	of string // what the batches have

	mu          sync.Mutex
	count       int
	sagas       map[string]bool // whose changes failed, at most writesFailing
	first, last time.Time
	fault       error
}

// noteWrites takes the outcome of a batch.
func (s *Store) noteWrites(batch record.Batch, err error) {
	switch {
	case len(batch.Starts) > 0:
		s.starts.note("", err, time.Now())
	case len(batch.SagaIDs) > 0:
		s.changed.note(batch.SagaIDs[0], err, time.Now())
	}
}

// note takes the outcome of a batch. An outcome that is the callers' changes nothing. The failures of one saga, if it is named, count
// once: it may be its own.
func (f *writeFaults) note(saga string, err error, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		f.count = 0
	case !ofDatabase(err):
	default:
		if f.count == 0 || now.Sub(f.last) > failedFor {
			f.count, f.sagas, f.first = 0, make(map[string]bool), now
		}
		f.last, f.fault = now, err
		if saga == "" || !f.sagas[saga] && len(f.sagas) < writesFailing {
			f.count++
			f.sagas[saga] = true
		}
	}
}

// check returns an error while batches fail one after the other.
func (f *writeFaults) check(now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count < writesFailing || f.last.Sub(f.first) < failingFor || now.Sub(f.last) > failedFor {
		return nil
	}
	return fmt.Errorf("the last %d batches or more with %s have failed: %w", f.count, f.of, f.fault)
}

// ofDatabase reports whether the database refuses a write whatever is in it. Values and keys are the callers', and conflicts pass. No
// caller can break a check or leave out a column: SQL has added what starts do not meet.
func ofDatabase(err error) bool {
	if _, decided := errors.AsType[decideError](err); decided {
		return false
	}
	answered, is := errors.AsType[*pgconn.PgError](err)
	if !is {
		return false
	}
	if answered.Code == notNullViolation || answered.Code == checkViolation {
		return true
	}
	for _, class := range []string{"22", "23", "40"} {
		if strings.HasPrefix(answered.Code, class) {
			return false
		}
	}
	return true
}
