package engine

import (
	"maps"
	"slices"
	"sync"
	"time"
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
	// maxGood bounds the sagas that show whether others can be changed.
	maxGood = 4
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

	good map[string]string // for some definitions, a saga that was changed lately
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

// lasting reports an outage of at least that long.
func (s *storing) lasting(least time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out() && s.failed.Sub(s.failing) >= least
}

// know remembers a saga that can be changed.
func (s *storing) know(definition, sagaID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good == nil || len(s.good) >= maxGood && s.good[definition] == "" {
		s.good = make(map[string]string, maxGood)
	}
	s.good[definition] = sagaID
}

// forget forgets a saga that is gone or locked.
func (s *storing) forget(sagaID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.good, func(_, known string) bool { return known == sagaID })
}

// known returns such sagas of different definitions.
func (s *storing) known() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.good))
}
