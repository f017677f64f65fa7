package loadtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Load defines how many sagas begin, and when. The zero value is a closed loop of 64 sagas, measured for ten seconds.
type Load struct {
	// InFlight is the number of sagas under way: the exact number in a closed loop (default 64), the maximum in an open
	// loop (default 500).
	InFlight int
	// Rate, if positive, selects an open loop: Rate sagas begin per second, however long they take. In a closed loop the
	// next saga begins when one ends.
	Rate     float64
	Warmup   time.Duration // before the measured window; default none
	Duration time.Duration // of the measured window; default 10 s
	Patience time.Duration // for sagas that are still under way after the window; default 1 m

	// Begin and End, if non-nil, are called when the measured window begins and ends. The load continues meanwhile. An
	// error ends the load.
	Begin, End func(ctx context.Context) error
	// Progress, if non-nil, is called ten times a second and at the end of the window. done counts ended sagas, including
	// those of the warm-up; elapsed is the time since the start of the load.
	Progress func(done int, elapsed time.Duration)
}

// Outcome is the result of a load.
type Outcome struct {
	Began time.Time // start of the measured window
	Ended time.Time // end of the measured window
	Sagas int       // ended as expected within the window; costs are divided by this number
	// Latencies covers the sagas that were under way in the window, or in an open loop should have been, and ended as
	// expected, within the window or after it.
	Latencies Latencies
	Failed    int   // sagas that did not end as expected, at any time
	Failure   error // the first of these failures
	// Missed counts the sagas of an open loop that should have begun by the end of the window and never did, because
	// InFlight sagas were under way.
	Missed int
}

// Seconds returns the length of the measured window.
func (o Outcome) Seconds() float64 { return o.Ended.Sub(o.Began).Seconds() }

// ErrHopeless is returned for a load that was aborted because too many sagas failed.
var ErrHopeless = errors.New("too many sagas failed")

const (
	tooManyFailed = 1000
	progressEvery = 100 * time.Millisecond
)

// WithDefaults returns the load with its defaults filled in.
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
	ignore := func(context.Context) error { return nil }
	if l.Begin == nil {
		l.Begin = ignore
	}
	if l.End == nil {
		l.End = ignore
	}
	if l.Progress == nil {
		l.Progress = func(int, time.Duration) {}
	}
	return l
}

// Drive runs the load. one runs saga number n, from 0, and returns nil if the saga ended as expected; many goroutines call
// it concurrently. Drive returns after the window, when every saga that began has ended. If it returns an error, the outcome
// covers the load up to that point.
func (l Load) Drive(ctx context.Context, one func(ctx context.Context, n int) error) (Outcome, error) {
	l = l.WithDefaults()
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &recorder{hopeless: func(first error) { cancel(fmt.Errorf("%w; the first failure: %w", ErrHopeless, first)) }}
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
	patience := time.AfterFunc(l.Patience, func() { cancel(errors.New("the saga did not end in time after the measured window")) })
	defer patience.Stop()
	generators.Wait()
	return r.outcome(), err
}

// measure waits for the warm-up and the measured window, and calls Begin and End.
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

// wait reports progress while the load runs for d.
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
