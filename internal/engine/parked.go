package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// parkedSaga holds the events of a saga whose first one fails alone although the store answers. It is tried again by
// itself, after growing pauses, so that it keeps no other saga of its lane waiting. Later events of the saga wait behind
// it: they stay in their order.
type parkedSaga struct {
	sagaID string
	requests  []*request
	until  time.Time
	wait   time.Duration
}

const (
	firstParkWait = 100 * time.Millisecond
	maxParkWait   = time.Minute
)

// park lets an item that failed alone wait by itself. It is false where the store answers nobody, so that the item is not
// at fault, or where too much waits so already: then the lane waits.
func (l *lane) park(ctx context.Context, r *request) bool {
	if !l.engine.storeAnswers(ctx) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parkedWeight()+l.weight(r) > l.capacity()/2 {
		return false
	}
	l.parked = append(l.parked, &parkedSaga{
		sagaID: r.sagaID, requests: []*request{r}, wait: firstParkWait, until: l.engine.config.Now().Add(firstParkWait),
	})
	return true
}

// waitBehind lets a later event of a parked saga wait behind the first one. It is false for a wake, which comes again by
// itself, and where too much waits already: a saga that stands still must not fill the lane.
func (l *lane) waitBehind(p *parkedSaga, r *request) bool {
	if _, wakes := r.cause.(saga.Wake); wakes || l.parkedWeight()+l.weight(r) > l.capacity()/2 {
		return false
	}
	p.requests = append(p.requests, r)
	return true
}

// parkedWeight is the room that parked items take. l.mu is held.
func (l *lane) parkedWeight() (total int64) {
	for _, p := range l.parked {
		for _, r := range p.requests {
			total += l.weight(r)
		}
	}
	return total
}

// storeAnswers reports whether the store takes anything at all.
func (e *Engine) storeAnswers(ctx context.Context) bool {
	return e.config.Store.Transact(ctx, record.Batch{}, noChanges) == nil
}

// duePark returns the first item of a parked saga that is to be tried again, or nil. l.mu is held.
func (l *lane) duePark() *request {
	now := l.engine.config.Now()
	for _, p := range l.parked {
		if !now.Before(p.until) {
			return p.requests[0]
		}
	}
	return nil
}

// isParked returns the parked events of a saga, or nil. l.mu is held.
func (l *lane) isParked(sagaID string) *parkedSaga {
	for _, p := range l.parked {
		if p.sagaID == sagaID {
			return p
		}
	}
	return nil
}

// settleParked notes how the retry of a parked saga's first item ended. Once that is decided, what waited behind it goes
// on as usual.
func (l *lane) settleParked(r *request, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.isParked(r.sagaID)
	if err != nil {
		p.wait = min(2*p.wait, maxParkWait)
		p.until = l.engine.config.Now().Add(p.wait)
		return
	}
	l.parked = slices.DeleteFunc(l.parked, func(other *parkedSaga) bool { return other == p })
	if rest := p.requests[1:]; len(rest) > 0 {
		l.requests = append(slices.Clone(rest), l.requests...)
		l.filled.Notify()
	}
}

// untilParked is how long it is until a parked saga is to be tried again.
func (l *lane) untilParked() (wait time.Duration, some bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.engine.config.Now()
	for _, p := range l.parked {
		if left := p.until.Sub(now); !some || left < wait {
			wait, some = left, true
		}
	}
	return wait, some
}

func (l *lane) parkedCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.parked)
}

// retryParked tries a parked item again, alone.
func (l *lane) retryParked(ctx context.Context, r *request) {
	if len(l.dropImpatient([]*request{r})) == 0 {
		l.settleParked(r, nil)
		return
	}
	busy, err := l.engine.decide(ctx, []*request{r})
	switch {
	case err != nil:
		l.engine.warn("parked/"+r.sagaID, "an event of a saga still cannot be stored", "saga", r.sagaID, "error", err)
	case len(busy) > 0:
		err = errBusy
	default:
		l.release(r)
	}
	l.settleParked(r, err)
	if ctx.Err() != nil {
		l.giveUpAll(errors.Join(record.ErrUnavailable, ctx.Err()))
	}
}

var errBusy = errors.New("another replica is changing the saga")
