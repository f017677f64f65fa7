package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// parkedSaga holds the requests of a saga whose first event cannot be stored although the store works. It is retried
// alone with growing pauses, so it does not hold up the other sagas of its lane. Later events of the saga wait behind
// it, in order.
type parkedSaga struct {
	sagaID   string
	requests []*request
	until    time.Time
	wait     time.Duration
	failed   time.Time // the last try
	// alone means that changes of other sagas were stored between two tries. Until then the fault may be that of the store, and the
	// saga is tried again as soon as any change is stored.
	alone bool
}

const (
	firstParkWait = 100 * time.Millisecond
	maxParkWait   = 2 * time.Second // the timers of other replicas go on meanwhile
	// wakeParkWait is the pause of a saga whose wake cannot be stored. A reply that another replica has is tried more often.
	wakeParkWait = 6 * time.Second
	// sharedParkWait is the longest pause of a saga whose fault may be that of the store.
	sharedParkWait = 500 * time.Millisecond
)

// park parks a request that failed alone. It returns false if the store does not work at all, or if too much is parked
// already; then the whole lane waits.
func (l *lane) park(ctx context.Context, r *request) bool {
	if !l.engine.storeAnswers(ctx) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parkedWeight()+l.weight(r) > l.capacity()/2 {
		return false
	}
	now := l.engine.config.Now()
	l.parked = append(l.parked, &parkedSaga{
		sagaID: r.sagaID, requests: []*request{r}, wait: firstParkWait, until: now.Add(firstParkWait), failed: now,
	})
	return true
}

// waitBehind appends a later event of a parked saga. It returns false for a wake, which comes again anyway, and if too
// much is parked: a parked saga must not fill the lane.
func (l *lane) waitBehind(p *parkedSaga, r *request) bool {
	if _, wakes := r.cause.(saga.Wake); wakes || l.parkedWeight()+l.weight(r) > l.capacity()/2 {
		return false
	}
	p.requests = append(p.requests, r)
	p.until = earlier(p.until, later(l.engine.config.Now(), p.failed.Add(sharedParkWait))) // it may have been repaired
	return true
}

// parkedWeight returns the room that parked requests take. The caller holds l.mu.
func (l *lane) parkedWeight() (total int64) {
	for _, p := range l.parked {
		for _, r := range p.requests {
			total += l.weight(r)
		}
	}
	return total
}

// storeAnswers reports whether the store commits an empty batch.
func (e *Engine) storeAnswers(ctx context.Context) bool {
	return e.config.Store.Transact(ctx, record.Batch{}, noChanges) == nil
}

// duePark returns the first request of the parked saga that is due for a retry and was tried longest ago, or nil. The caller holds l.mu.
func (l *lane) duePark() *request {
	now := l.engine.config.Now()
	var next *parkedSaga
	for _, p := range l.parked {
		if !now.Before(l.retryAt(p)) && (next == nil || p.failed.Before(next.failed)) {
			next = p
		}
	}
	if next == nil {
		return nil
	}
	return next.requests[0]
}

// retryAt returns when a parked saga is tried again. The caller holds l.mu.
func (l *lane) retryAt(p *parkedSaga) time.Time {
	storing := &l.engine.storing
	switch {
	case p.requests[0].waitsForReplies() && storing.repliesFirst(l.engine.config.Now()):
		return later(p.until, l.engine.config.Now().Add(probeEvery))
	case !p.alone && storing.storedSince(p.failed):
		return time.Time{}
	default:
		return later(p.until, l.probeAt)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// isParked returns the parked requests of a saga, or nil. The caller holds l.mu.
func (l *lane) isParked(sagaID string) *parkedSaga {
	for _, p := range l.parked {
		if p.sagaID == sagaID {
			return p
		}
	}
	return nil
}

// settleParked records the result of a retry. After a success the requests behind it return to the lane.
func (l *lane) settleParked(r *request, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.isParked(r.sagaID)
	if err != nil {
		now := l.engine.config.Now()
		most, probe := sharedParkWait, probeEvery
		if p.alone = p.alone || l.engine.storing.storedSince(p.failed); p.alone {
			most, probe = maxParkWait, tryEvery
		}
		p.wait = min(2*p.wait, most)
		if p.alone && r.waitsForReplies() {
			p.wait = wakeParkWait
		}
		p.until, p.failed, l.probeAt = now.Add(p.wait), now, now.Add(probe)
		return
	}
	l.parked = slices.DeleteFunc(l.parked, func(other *parkedSaga) bool { return other == p })
	if rest := p.requests[1:]; len(rest) > 0 {
		l.requests = append(slices.Clone(rest), l.requests...)
		l.filled.Notify()
	}
}

// untilParked returns the time until the next retry of a parked saga.
func (l *lane) untilParked() (wait time.Duration, some bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.engine.config.Now()
	for _, p := range l.parked {
		if left := l.retryAt(p).Sub(now); !some || left < wait {
			wait, some = left, true
		}
	}
	return wait, some
}

// IsParked reports whether an event of the saga, such as a reply, cannot be stored and is tried again.
func (e *Engine) IsParked(sagaID string) bool {
	return e.lane(sagaID).parks(sagaID) || slices.ContainsFunc(e.costly.lanes, func(l *lane) bool { return l.parks(sagaID) })
}

func (l *lane) parks(sagaID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.isParked(sagaID)
	return p != nil && !p.requests[0].waitsForReplies()
}

func (l *lane) parkedCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.parked)
}

// retryParked decides a parked request alone.
func (l *lane) retryParked(ctx context.Context, r *request) {
	if len(l.dropImpatient([]*request{r})) == 0 {
		l.settleParked(r, nil)
		return
	}
	left, err := l.engine.decide(ctx, []*request{r})
	busy, moved := partition(left, (*request).moves)
	switch {
	case err != nil:
		l.engine.noteFailed(ctx, []*request{r})
		l.engine.warn("parked/"+r.sagaID, "still cannot store an event", "saga", r.sagaID, "error", err)
	case len(busy) > 0:
		err = errBusy
	case len(moved) > 0:
		l.handOver(moved)
	default:
		l.release(r)
	}
	l.settleParked(r, err)
	if ctx.Err() != nil {
		l.giveUpAll(errors.Join(record.ErrUnavailable, ctx.Err()))
	}
}

var errBusy = errors.New("another replica is changing the saga")
