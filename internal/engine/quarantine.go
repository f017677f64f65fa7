package engine

import (
	"slices"
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
func (q *quarantine) add(sagaID string) (wait time.Duration, loud bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	known := q.bySaga[sagaID]
	if known == nil {
		if len(q.bySaga) >= maxQuarantined {
			for other := range q.bySaga { // any will do: it is only retried earlier
				delete(q.bySaga, other)
				break
			}
		}
		known = &quarantined{}
		q.bySaga[sagaID] = known
	}
	known.wait = min(max(2*known.wait, firstQuarantineWait), maxQuarantineWait)
	known.until = now.Add(known.wait)
	if now.Sub(q.minute) >= time.Minute {
		q.minute, q.lines = now, 0
	}
	q.lines++
	return known.wait, q.lines <= quarantineLines
}

// holds reports whether the saga must not be retried yet.
func (q *quarantine) holds(sagaID string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	known := q.bySaga[sagaID]
	return known != nil && q.now().Before(known.until)
}

// release removes a saga on which a decision was possible.
func (q *quarantine) release(sagaID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.bySaga) > 0 {
		delete(q.bySaga, sagaID)
	}
}

func (q *quarantine) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.bySaga)
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
	Costly      int // definition versions whose sagas are decided apart from others, because conditions or schemas take long
	// CostlyWaiting is the number of events of these sagas that wait.
	CostlyWaiting int
}

// Health returns the current state.
func (e *Engine) Health() Health {
	health := Health{Unreadable: e.quarantine.count(), Definitions: e.definitions.brokenCount(), Costly: e.costly.count()}
	for _, l := range slices.Concat(e.lanes, e.costly.lanes) {
		health.Parked += l.parkedCount()
	}
	for _, l := range e.costly.lanes {
		health.CostlyWaiting += l.waiting()
	}
	return health
}
