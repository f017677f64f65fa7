package loadtest

import (
	"sync"
	"time"
)

// recorder takes down what became of each saga, and knows which of them count.
type recorder struct {
	hopeless func(first error)

	mu        sync.Mutex
	began     time.Time // of the window; zero: not yet
	ended     time.Time // of the window; zero: not yet
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

// record takes a saga that has ended just now; from is when it began, or should have.
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

// begun says how many sagas of an open loop have begun since then, when no more will.
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

// outcome is asked for when nothing is under way any more.
func (r *recorder) outcome() Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	ended := r.ended
	if ended.IsZero() {
		ended = time.Now() // the load was given up
	}
	if r.began.IsZero() {
		r.began = ended
	}
	return Outcome{
		Began: r.began, Ended: ended, Sagas: r.inWindow, Latencies: newLatencies(r.latencies),
		Failed: r.failed, Failure: r.failure, Missed: r.missed,
	}
}
