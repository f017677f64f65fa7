package server

import (
	"log/slog"
	"time"
)

// The time limits for stopping each part, from the begin of the shutdown. Each part also has a shorter limit of its own;
// these apply if a part exceeds it. They keep the whole shutdown below ten seconds.
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

// ending is a shutdown in progress.
type ending struct {
	log   *slog.Logger
	began time.Time
}

func newEnding(log *slog.Logger) *ending { return &ending{log: log, began: time.Now()} }

// within calls end and returns when it has returned or the time is up. In the second case ended is false, and the goroutine
// stays until the process exits.
func (e *ending) within(by time.Duration, end func()) (ended bool) {
	done := make(chan struct{})
	go func() { // may outlive the server, see above
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

// must is within for a part that has a shorter limit of its own. Exceeding the limit is then a defect, and logged.
func (e *ending) must(by time.Duration, part string, end func()) (ended bool) {
	if ended = e.within(by, end); !ended {
		e.log.Error("a part of the server did not stop in time", "part", part, "after", by.String())
	}
	return ended
}
