package loadtest

import (
	"sync"
	"time"
)

// recorder records how each saga ended, and which of them count.
type recorder struct {
	hopeless func(first error)

	mu        sync.Mutex
	began     time.Time // start of the window; zero before it
	ended     time.Time // end of the window; zero before it
	done      int
	inWindow  int
	latencies []time.Duration
	failed    int
	failure   error
	missed    int
}

func (r *recorder) begin(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began = at
}

func (r *recorder) end(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = at
}

// record records a saga that has just ended; from is when it began, or in an open loop should have begun.
func (r *recorder) record(from time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.done++
	switch {
	case err != nil:
		if r.failed++; r.failed == 1 {
			r.failure = err
		}
		if r.failed == tooManyFailed {
			r.hopeless(r.failure)
		}
	case r.began.IsZero():
	case r.ended.IsZero():
		r.inWindow++
		r.latencies = append(r.latencies, now.Sub(from))
	case from.Before(r.ended):
		r.latencies = append(r.latencies, now.Sub(from))
	}
}

// begun is called when an open loop is over, with the number of sagas that it began.
func (r *recorder) begun(sagas int, since time.Time, rate float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended.IsZero() {
		r.missed = max(0, int(r.ended.Sub(since).Seconds()*rate)-sagas)
	}
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

// outcome must be called after the last saga has ended.
func (r *recorder) outcome() Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	ended := r.ended
	if ended.IsZero() {
		ended = time.Now() // the load was aborted
	}
	if r.began.IsZero() {
		r.began = ended
	}
	return Outcome{
		Began: r.began, Ended: ended, Sagas: r.inWindow, Latencies: newLatencies(r.latencies),
		Failed: r.failed, Failure: r.failure, Missed: r.missed,
	}
}
