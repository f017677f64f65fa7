package store

import (
	"sync"
	"time"
)

// clockTrust is how long the database's clock is estimated from this process's clock. It bounds the time to follow a
// database clock that was set forward or back.
const clockTrust = time.Second

// clockFresh is the age from which an optimistic transaction reads the clock again.
const clockFresh = clockTrust / 2

// clock estimates the database's time between the statements that read it. The estimate lags by the transfer time of
// the last answer. It is ahead only if the database's clock was set back since.
type clock struct {
	mu   sync.Mutex
	read time.Time // the database's time when last read
	at   time.Time // when that answer arrived, by this process's monotonic clock
}

// observe takes a time that the database has just returned.
func (c *clock) observe(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.at = now, time.Now()
}

// fresh reports whether the database's clock was read recently.
func (c *clock) fresh() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.read.IsZero() && time.Since(c.at) < clockFresh
}

// now returns the estimate, and false if the last reading is too old.
func (c *clock) now() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := time.Since(c.at)
	if c.read.IsZero() || since > clockTrust {
		return time.Time{}, false
	}
	return c.read.Add(since).Truncate(time.Microsecond).UTC(), true
}
