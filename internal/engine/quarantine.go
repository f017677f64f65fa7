package engine

import (
	"sync"
	"time"
)

const (
	firstQuarantineWait = time.Second
	maxQuarantineWait   = 5 * time.Minute
	maxQuarantined      = 50_000
	// quarantineLines is the number of sagas logged individually per minute.
	quarantineLines = 20
)

// quarantine holds the sagas on which no decision is possible: they cannot be read, or break an invariant. Polls find
// them due again and again, so each is retried with growing pauses. A replica of another version or an operator may
// repair them.
type quarantine struct {
	now func() time.Time

	mu     sync.Mutex
	bySaga map[string]*quarantined
	lines  int
	minute time.Time // when lines was last reset
}

type quarantined struct {
	until time.Time
	wait  time.Duration
}

func newQuarantine(now func() time.Time) *quarantine {
	return &quarantine{now: now, bySaga: make(map[string]*quarantined)}
}

// add keeps a saga for longer than the last time. loud reports whether to log the saga individually.
func (t *quarantine) add(sagaID string) (wait time.Duration, loud bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	known := t.bySaga[sagaID]
	if known == nil {
		if len(t.bySaga) >= maxQuarantined {
			for other := range t.bySaga { // any will do: it is only retried earlier
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

// holds reports whether the saga must not be retried yet.
func (t *quarantine) holds(sagaID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.bySaga[sagaID]
	return known != nil && t.now().Before(known.until)
}

// release removes a saga on which a decision was possible.
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

// setAside puts a saga into quarantine after its wake could not be decided.
func (e *Engine) setAside(sagaID string, err error) {
	wait, loud := e.quarantine.add(sagaID)
	if loud {
		e.config.Logger.Error("cannot decide on a saga, will retry later", "saga", sagaID, "retry_in", wait, "error", err)
		return
	}
	e.warn("quarantine", "cannot decide on many sagas", "sagas", e.quarantine.count(), "error", err)
}

// Health is the work of an engine that is held up, for metrics and readiness.
type Health struct {
	Unreadable  int // sagas on which no decision is possible, as far as this process knows
	Definitions int // definition versions in use that are unreadable or missing
	Parked      int // sagas with an event that cannot be stored and is retried alone
}

// Health returns the current state.
func (e *Engine) Health() Health {
	health := Health{Unreadable: e.quarantine.count(), Definitions: e.definitions.brokenCount()}
	for _, l := range e.lanes {
		health.Parked += l.parkedCount()
	}
	return health
}
