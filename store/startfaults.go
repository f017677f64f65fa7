package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// startsFailing is the least number of batches with starts that fail one after the other, and failingFor the least time from the
	// first to the last of them, before no saga counts as startable.
	startsFailing = 3
	failingFor    = 2 * time.Second
	// failedFor is how long that holds without another attempt.
	failedFor = 15 * time.Second
)

// startFaults notes batches with starts that the database refuses for a reason of its own, such as a trigger. No statement that writes
// nothing would find that.
type startFaults struct {
	mu          sync.Mutex
	count       int
	first, last time.Time
	fault       error
}

// note takes the outcome of a batch with starts. An outcome that is the callers' changes nothing.
func (f *startFaults) note(err error, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		f.count = 0
	case !ofDatabase(err):
	default:
		if f.count == 0 || now.Sub(f.last) > failedFor {
			f.count, f.first = 0, now
		}
		f.count, f.last, f.fault = f.count+1, now, err
	}
}

// check returns an error while starts fail one after the other.
func (f *startFaults) check(now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count < startsFailing || f.last.Sub(f.first) < failingFor || now.Sub(f.last) > failedFor {
		return nil
	}
	return fmt.Errorf("the last %d batches with starts have failed: %w", f.count, f.fault)
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
