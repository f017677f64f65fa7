package store

import (
	"sync"
	"time"
)

// clockTrust is for how long the database's clock may be told by this process's. It bounds what the two can drift apart,
// and how long it takes to notice that the database's was set.
const clockTrust = 10 * time.Second

// clockFresh is after how long a transaction that goes the short way reads the clock along.
const clockFresh = time.Second

// clock tells the database's time between the transactions that read it. It is never ahead of the database, by the time
// that the last answer was on its way, and never runs back.
type clock struct {
	mu   sync.Mutex
	read time.Time // what the database said last
	at   time.Time // when its answer was here, by this process's monotonic clock
	last time.Time // what was told last
}

// observe takes what the database has just said.
func (c *clock) observe(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.at = now, time.Now()
}

// fresh says whether the database's clock was read a moment ago.
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
	if now := c.read.Add(since).Truncate(time.Microsecond); now.After(c.last) {
		c.last = now
	}
	return c.last.UTC(), true
}
