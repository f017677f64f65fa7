package loadtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Load says how many sagas are begun, and when. The zero value is a closed loop of 64 that measures for ten seconds.
type Load struct {
	// InFlight is how many sagas are under way: exactly so many in a closed loop (0: 64), at most so many in an open one
	// (0: 500).
	InFlight int
	// Rate makes it an open loop: so many sagas per second are begun, however long they take. 0: a closed loop, in which
	// the next saga begins when one has ended.
	Rate     float64
	Warmup   time.Duration // how long the load runs before it is measured; 0: not at all
	Duration time.Duration // how long it is measured; 0: 10 s
	Patience time.Duration // how long sagas that have begun may still take after that; 0: 1 m

	// Begin and End are called when the measured window begins and ends, for meters; the load goes on meanwhile. An
	// error ends the load. nil: nobody.
	Begin, End func(ctx context.Context) error
	// Progress is called ten times a second and at the end of the window, with how many sagas have ended, warm-up
	// included, and since when the load runs. nil: nobody.
	Progress func(done int, elapsed time.Duration)
}

// Outcome is what a load has seen.
type Outcome struct {
	Began time.Time // of the measured window
	Ended time.Time
	Sagas int // that came to the expected end within the window; what costs are divided by
	// Latencies are those of all sagas that were under way in the window, or in an open loop should have been, and came to
	// the expected end, if only after the window.
	Latencies Latencies
	Failed    int   // sagas that did not, in the window, before it or after it
	Failure   error // the first of these
	// Missed are the sagas of an open loop that should have begun by the end of the window, and never did: as many as
	// InFlight were under way.
	Missed int
}

// Seconds is how long was measured.
func (o Outcome) Seconds() float64 { return o.Ended.Sub(o.Began).Seconds() }

// ErrHopeless says that a load was given up because nearly everything failed.
var ErrHopeless = errors.New("too many sagas failed")

const (
	tooManyFailed = 1000
	progressEvery = 100 * time.Millisecond
)

// WithDefaults fills in what was left out.
func (l Load) WithDefaults() Load {
	switch {
	case l.InFlight > 0:
	case l.Rate > 0:
		l.InFlight = 500
	default:
		l.InFlight = 64
	}
	if l.Duration <= 0 {
		l.Duration = 10 * time.Second
	}
	if l.Patience <= 0 {
		l.Patience = time.Minute
	}
	nobody := func(context.Context) error { return nil }
	if l.Begin == nil {
		l.Begin = nobody
	}
	if l.End == nil {
		l.End = nobody
	}
	if l.Progress == nil {
		l.Progress = func(int, time.Duration) {}
	}
	return l
}

// Drive runs the load. one runs saga number n, from 0, and returns nil when it came to the end that it should; it is
// called by many goroutines at the same time. Drive returns when the window is over and all that began has ended. With an
// error comes the outcome as far as it came.
func (l Load) Drive(ctx context.Context, one func(ctx context.Context, n int) error) (Outcome, error) {
	l = l.WithDefaults()
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &recorder{hopeless: func(first error) { cancel(fmt.Errorf("%w, the first of them: %w", ErrHopeless, first)) }}
	run := func(n int, from time.Time) { r.record(from, one(ctx, n)) }

	over := make(chan struct{})
	var generators sync.WaitGroup
	if l.Rate > 0 {
		generators.Go(func() { r.begun(l.open(over, run), began, l.Rate) })
	} else {
		generators.Go(func() { l.closed(over, run) })
	}
	err := l.measure(ctx, r, began)
	close(over)
	if err != nil {
		cancel(err)
	}
	patience := time.AfterFunc(l.Patience, func() { cancel(errors.New("the patience with sagas that do not end is over")) })
	defer patience.Stop()
	generators.Wait()
	return r.outcome(), err
}

// measure waits for the warm-up, then for the measured window, and tells whom it concerns when it begins and ends.
func (l Load) measure(ctx context.Context, r *recorder, since time.Time) error {
	if err := l.wait(ctx, l.Warmup, r, since); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	r.begin(time.Now())
	if err := l.Begin(ctx); err != nil {
		return fmt.Errorf("begin to measure: %w", err)
	}
	err := l.wait(ctx, l.Duration, r, since)
	r.end(time.Now())
	if err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	if err := l.End(ctx); err != nil {
		return fmt.Errorf("end measuring: %w", err)
	}
	return nil
}

// wait lets the load run for so long, and shows its progress.
func (l Load) wait(ctx context.Context, d time.Duration, r *recorder, since time.Time) error {
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.Progress(r.count(), time.Since(since))
		case <-end.C:
			l.Progress(r.count(), time.Since(since))
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
