package engine

import (
	"sync"
	"time"
)

const (
	firstQuarantineWait = time.Second
	maxQuarantineWait   = 5 * time.Minute
	maxQuarantined      = 50_000
	// troubleLines is how many sagas are logged one by one in a minute.
	quarantineLines = 20
)

// troubles are the sagas on which nothing can be decided: they cannot be read, or break an invariant. The poll finds them
// due again and again, so each sleeps longer every time. It is tried again all the same: a replica of another version may
// have repaired it, or an operator.
type quarantine struct {
	now func() time.Time

	mu     sync.Mutex
	bySaga map[string]*quarantined
	lines  int
	minute time.Time // since when lines are counted
}

type quarantined struct {
	until time.Time
	wait  time.Duration
}

func newQuarantine(now func() time.Time) *quarantine {
	return &quarantine{now: now, bySaga: make(map[string]*quarantined)}
}

// note lets a saga sleep, longer than the last time. loud reports whether a line about this saga may be logged.
func (t *quarantine) add(sagaID string) (wait time.Duration, loud bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	known := t.bySaga[sagaID]
	if known == nil {
		if len(t.bySaga) >= maxQuarantined {
			for other := range t.bySaga { // which one makes no difference: it only sleeps less
				delete(t.bySaga, other)
				break
			}
		}
		known = &quarantined{}
		t.bySaga[sagaID] = known
	}
	known.wait = min(max(2*known.wait, firstQuarantineWait), maxQuarantineWait)
	known.until = now.Add(known.wait)
	if now.Sub(t.minute) >= time.Minute {
		t.minute, t.lines = now, 0
	}
	t.lines++
	return known.wait, t.lines <= quarantineLines
}

// asleep reports whether the saga is to be left alone for now.
func (t *quarantine) holds(sagaID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.bySaga[sagaID]
	return known != nil && t.now().Before(known.until)
}

// over forgets a saga on which something was decided.
func (t *quarantine) release(sagaID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.bySaga) > 0 {
		delete(t.bySaga, sagaID)
	}
}

func (t *quarantine) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.bySaga)
}

// troubled lets the saga of a wake sleep on which nothing can be decided.
func (e *Engine) setAside(sagaID string, err error) {
	wait, loud := e.quarantine.add(sagaID)
	if loud {
		e.config.Logger.Error("nothing can be decided on a saga, it is left alone for a while", "saga", sagaID, "retry_in", wait, "error", err)
		return
	}
	e.warn("troubles", "nothing can be decided on many sagas", "sagas", e.quarantine.count(), "error", err)
}

// Health is what of an engine's work does not go on, for metrics and readiness.
type Health struct {
	Unreadable  int // sagas on which nothing can be decided, as far as this process has met them
	Definitions int // definition versions that sagas need and that cannot be read, or are gone
	Parked      int // sagas with an event that fails alone, and is tried again by itself
}

// Health returns the present state.
func (e *Engine) Health() Health {
	health := Health{Unreadable: e.quarantine.count(), Definitions: e.definitions.brokenCount()}
	for _, l := range e.lanes {
		health.Parked += l.parkedCount()
	}
	return health
}
