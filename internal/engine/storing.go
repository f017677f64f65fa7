package engine

import (
	"context"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	// outageAfter is how long changes of sagas must fail, with none stored in between, before it counts as an outage.
	outageAfter = time.Second
	// repliesFirst is how long after an outage no saga is woken. Each replica stores the replies that have waited within that time.
	repliesFirst = 3 * time.Second
	// longestSeries bounds that for outages which follow each other, within a newSeries: one that comes and goes must not keep sagas
	// from being woken, and neither must faults of single sagas that look like one.
	longestSeries = 10 * time.Second
	newSeries     = 30 * time.Second
	// wakeAgain is how long a wake waits that comes during an outage or after it.
	wakeAgain = time.Second
	// probeEvery is the pause between two tries of a lane during an outage, and tryEvery that between two tries without a change. Their
	// sagas may be those that alone cannot be changed, so there are many.
	probeEvery = 250 * time.Millisecond
	tryEvery   = 50 * time.Millisecond
)

// storing knows whether the store takes changes of sagas, from the outcomes of batches. During an outage, and for a while after,
// sagas are not woken: an attempt would time out although its reply waits here or in another replica.
type storing struct {
	mu        sync.Mutex
	failing   time.Time // the first failure since a change was stored; zero: none
	failed    time.Time // the last failure
	stored    time.Time // when a change was last stored
	recovered time.Time // when the last outage ended
	series    time.Time // when the first outage of a series ended
	probed    time.Time // when that was last tried without a change
}

// fail notes that changes could not be stored, for a reason that need not be theirs.
func (s *storing) fail(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing.IsZero() {
		s.failing = now
	}
	s.failed = now
}

// succeed notes that changes were stored.
func (s *storing) succeed(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out() {
		s.recovered = now
		if now.Sub(s.series) > newSeries {
			s.series = now
		}
	}
	s.failing, s.stored = time.Time{}, now
}

// out reports an outage. The caller holds s.mu.
func (s *storing) out() bool {
	return !s.failing.IsZero() && s.failed.Sub(s.failing) >= outageAfter
}

func (s *storing) outage() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out()
}

// repliesFirst reports whether wakes must wait.
func (s *storing) repliesFirst(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out() || now.Sub(s.recovered) < repliesFirst && now.Sub(s.series) < longestSeries
}

// mayProbe reports whether to try, during an outage, whether changes can be stored again. There may be nothing else to store.
func (s *storing) mayProbe(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.out() || now.Sub(s.probed) < tryEvery {
		return false
	}
	s.probed = now
	return true
}

// storedSince reports whether a change was stored after a time.
func (s *storing) storedSince(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored.After(at)
}

// noteStored notes a batch that was stored, if it changed sagas that were there before.
func (e *Engine) noteStored(state *batchState) {
	for _, s := range state.sagas {
		if s.changed && !s.created {
			e.storing.succeed(e.config.Now())
			return
		}
	}
}

// noteFailed notes a batch that was not stored, if it has events of sagas.
func (e *Engine) noteFailed(requests []*request) {
	for _, r := range requests {
		if r.kind == applyEvent {
			e.storing.fail(e.config.Now())
			return
		}
	}
}

// probe finds out, during an outage, whether changes can be stored again. A wake must not: it is what waits for the replies.
func (e *Engine) probe(ctx context.Context, sagaID string) {
	if !e.storing.mayProbe(e.config.Now()) {
		return
	}
	ctx, cancel := e.config.Within(ctx, wakeAgain)
	defer cancel()
	if e.config.Store.TryChange(ctx, sagaID) == nil {
		e.storing.succeed(e.config.Now())
	} else {
		e.storing.fail(e.config.Now())
	}
}

// waitsForReplies reports whether the request is a wake, which waits for replies after an outage.
func (r *request) waitsForReplies() bool {
	_, wakes := r.cause.(saga.Wake)
	return wakes
}

// splitWakes takes the wakes that wait for replies out of requests.
func splitWakes(requests []*request) (others, wakes []*request) {
	for _, r := range requests {
		if r.waitsForReplies() {
			wakes = append(wakes, r)
		} else {
			others = append(others, r)
		}
	}
	return others, wakes
}
