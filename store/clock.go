package store

import (
	"sync"
	"time"
)

// clockTrust is for how long the database's clock is estimated by this process's. It bounds how long it takes to follow
// the database when its clock is set, forward or back.
const clockTrust = time.Second

// clockFresh is the age from which an optimistic transaction reads the clock along.
const clockFresh = clockTrust / 2

// clock estimates the database's time between the statements that read it. It is never ahead of the database, by the
// time that the last answer was on its way, unless the database's clock was set back since.
type clock struct {
	mu   sync.Mutex
	read time.Time // the database's time, as it was read last
	at   time.Time // when that answer was here, by this process's monotonic clock
}

// observe takes the time that the database has just answered with.
func (c *clock) observe(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.at = now, time.Now()
}

// fresh reports whether the database's clock was read a moment ago.
func (c *clock) fresh() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.read.IsZero() && time.Since(c.at) < clockFresh
}

// now is the database's time, unless it was not read for too long.
func (c *clock) now() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := time.Since(c.at)
	if c.read.IsZero() || since > clockTrust {
		return time.Time{}, false
	}
	return c.read.Add(since).Truncate(time.Microsecond).UTC(), true
}
