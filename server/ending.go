package server

import (
	"log/slog"
	"time"
)

// By when each part must have ended, counted from the moment at which the server begins to end. Each part has a limit of
// its own that is shorter; these hold when something below does not heed it. Together they keep the promise of ten seconds.
const (
	answersBy = 3500 * time.Millisecond
	intakeBy  = 4500 * time.Millisecond
	engineBy  = 7 * time.Second
	relayBy   = 7500 * time.Millisecond
	brokerBy  = 8200 * time.Millisecond
	storeBy   = 8700 * time.Millisecond

	answersGrace = 3 * time.Second
	engineGrace  = 2 * time.Second
	brokerGrace  = 2 * time.Second
)

// ending is the end of a server under way.
type ending struct {
	log   *slog.Logger
	began time.Time
}

func newEnding(log *slog.Logger) *ending { return &ending{log: log, began: time.Now()} }

// within runs what ends a part, and returns when that has ended, or when its time is up: ended is false then, and the
// goroutine stays behind until the process ends.
func (e *ending) within(by time.Duration, end func()) (ended bool) {
	done := make(chan struct{})
	go func() { // may outlive the server: see above
		defer close(done)
		end()
	}()
	timer := time.NewTimer(max(0, by-time.Since(e.began)))
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// must is within for a part that has a shorter limit of its own: one that misses this limit is a defect.
func (e *ending) must(by time.Duration, part string, end func()) (ended bool) {
	if ended = e.within(by, end); !ended {
		e.log.Error("a part of the server did not end in time and is left behind", "part", part, "after", by.String())
	}
	return ended
}
