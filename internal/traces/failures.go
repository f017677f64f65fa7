package traces

import (
	"log/slog"
	"sync"
	"time"
)

// logEvery is the shortest time between two lines about spans that could not be sent.
const logEvery = time.Minute

// failures logs what the SDK reports, without repeating a line for each batch.
type failures struct {
	log *slog.Logger

	mu     sync.Mutex
	logged time.Time
	since  int // failures since the last line
}

func (f *failures) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since++
	if now := time.Now(); now.Sub(f.logged) >= logEvery {
		f.log.Warn("spans were not sent", "error", err, "failures", f.since)
		f.logged, f.since = now, 0
	}
}
