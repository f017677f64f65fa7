package engine

import (
	"sync"
	"time"
)

const (
	firstSilence = time.Second
	maxSilence   = 5 * time.Minute
	maxCauses    = 1000
)

// logLimiter keeps repeated failures from filling the log. It logs a cause at once, and then after silences that
// double. A cause that was quiet for longer than its last silence counts as new.
type logLimiter struct {
	now func() time.Time

	mu     sync.Mutex
	causes map[string]*silence
}

// silence is the logging state of one cause.
type silence struct {
	until   time.Time
	length  time.Duration
	skipped int
}

func newLogLimiter(now func() time.Time) *logLimiter {
	return &logLimiter{now: now, causes: make(map[string]*silence)}
}

// allow reports whether to log the cause now, and how many lines it skipped since the last one.
func (l *logLimiter) allow(cause string) (skipped int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	s := l.causes[cause]
	switch {
	case s == nil:
		l.makeRoom()
		s = &silence{}
		l.causes[cause] = s
	case now.Before(s.until):
		s.skipped++
		return 0, false
	case now.Sub(s.until) > s.length:
		s.length = 0
	}
	s.length = min(max(2*s.length, firstSilence), maxSilence)
	s.until = now.Add(s.length)
	skipped, s.skipped = s.skipped, 0
	return skipped, true
}

// makeRoom removes the cause whose silence ends first.
func (l *logLimiter) makeRoom() {
	if len(l.causes) < maxCauses {
		return
	}
	var first string
	for cause, s := range l.causes {
		if first == "" || s.until.Before(l.causes[first].until) {
			first = cause
		}
	}
	delete(l.causes, first)
}

// warn logs a failure that will be retried, unless the same cause was logged a moment ago.
func (e *Engine) warn(cause, message string, arguments ...any) {
	skipped, due := e.limiter.allow(cause)
	if !due {
		return
	}
	if skipped > 0 {
		arguments = append(arguments, "repeated", skipped)
	}
	e.config.Logger.Warn(message, arguments...)
}
