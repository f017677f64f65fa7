package engine

import (
	"sync"
	"time"
)

const (
	firstTroubleWait = time.Second
	maxTroubleWait   = 5 * time.Minute
	maxTroubles      = 50_000
	// troubleLines is how many sagas are logged one by one in a minute.
	troubleLines = 20
)

// troubles are the sagas on which nothing can be decided: they cannot be read, or break an invariant. The poll finds them
// due again and again, so each sleeps longer every time. It is tried again all the same: a replica of another version may
// have repaired it, or an operator.
type troubles struct {
	now func() time.Time

	mu     sync.Mutex
	bySaga map[string]*trouble
	lines  int
	minute time.Time // since when lines are counted
}

type trouble struct {
	until time.Time
	wait  time.Duration
}

func newTroubles(now func() time.Time) *troubles {
	return &troubles{now: now, bySaga: make(map[string]*trouble)}
}

// note lets a saga sleep, longer than the last time. loud reports whether a line about this saga may be logged.
func (t *troubles) note(sagaID string) (wait time.Duration, loud bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	known := t.bySaga[sagaID]
	if known == nil {
		if len(t.bySaga) >= maxTroubles {
			for other := range t.bySaga { // which one makes no difference: it only sleeps less
				delete(t.bySaga, other)
				break
			}
		}
		known = &trouble{}
		t.bySaga[sagaID] = known
	}
	known.wait = min(max(2*known.wait, firstTroubleWait), maxTroubleWait)
	known.until = now.Add(known.wait)
	if now.Sub(t.minute) >= time.Minute {
		t.minute, t.lines = now, 0
	}
	t.lines++
	return known.wait, t.lines <= troubleLines
}

// asleep reports whether the saga is to be left alone for now.
func (t *troubles) asleep(sagaID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.bySaga[sagaID]
	return known != nil && t.now().Before(known.until)
}

// over forgets a saga on which something was decided.
func (t *troubles) over(sagaID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.bySaga) > 0 {
		delete(t.bySaga, sagaID)
	}
}

func (t *troubles) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.bySaga)
}

// troubled lets the saga of a wake sleep on which nothing can be decided.
func (e *Engine) troubled(sagaID string, err error) {
	wait, loud := e.troubles.note(sagaID)
	if loud {
		e.config.Logger.Error("nothing can be decided on a saga, it is left alone for a while", "saga", sagaID, "retry_in", wait, "error", err)
		return
	}
	e.warn("troubles", "nothing can be decided on many sagas", "sagas", e.troubles.count(), "error", err)
}

// Health is what of an engine's work does not go on, for metrics and readiness.
type Health struct {
	Unreadable  int // sagas on which nothing can be decided, as far as this process has met them
	Definitions int // definition versions that sagas need and that cannot be read, or are gone
	Parked      int // sagas with an event that fails alone, and is tried again by itself
}

// Health returns the present state.
func (e *Engine) Health() Health {
	health := Health{Unreadable: e.troubles.count(), Definitions: e.plans.brokenCount()}
	for _, l := range e.lanes {
		health.Parked += l.parkedCount()
	}
	return health
}
