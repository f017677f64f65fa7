package events

import (
	"context"
	"log/slog"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// pageSize is the number of events that are read and deleted together.
	pageSize = 1000
	// lease is how long a replica that died keeps the others from forwarding. It is renewed after a third.
	lease = 5 * time.Second
	// pace is the shortest time between two pages that are not full, so that pages are large under load.
	pace = 50 * time.Millisecond
	// lookEvery is the interval at which the store is read if this process has stored no event.
	lookEvery = time.Second
	// firstPause and maxPause bound the pause after a failure.
	firstPause = 200 * time.Millisecond
	maxPause   = 5 * time.Second
)

// Rows is the table of events.
type Rows interface {
	// HoldLease takes or renews a lease. It returns false while another holder has it.
	HoldLease(ctx context.Context, name, holder string, lease time.Duration) (held bool, err error)
	// NextEvents returns up to limit events that a sink has not taken, and about record.EventPageBytes at most, but for those of the
	// excepted subjects. Those of one subject are in their order.
	NextEvents(ctx context.Context, sink record.Sink, limit int, except ...string) ([]record.Event, error)
	// ForgetEvents deletes events that a sink has taken.
	ForgetEvents(ctx context.Context, sink record.Sink, taken []record.Event) error
}

// Publisher publishes to the sink.
type Publisher interface {
	// PublishEvents publishes events of different subjects, and returns the error of each; nil: the sink has taken it.
	PublishEvents(ctx context.Context, events []wire.Event) []error
}

// Config configures a forwarder. Name, Rows, Publisher and Holder are required.
type Config struct {
	Name      record.Sink
	Rows      Rows
	Publisher Publisher
	Holder    string // identifies this process among the replicas
	// Forwarded, if non-nil, is called with the number of events that were taken, for metrics. It must not block.
	Forwarded func(events int)
	Logger    *slog.Logger     // nil: no log
	Now       func() time.Time // used only for durations; nil: time.Now
}

// Forwarder forwards the events of one sink.
type Forwarder struct {
	config    Config
	stored    wait.Signal
	refusals  refusals
	heldUntil time.Time // the lease, less a margin; zero: not held
	failures  int       // in a row
}

// New returns a forwarder. Run starts it.
func New(config Config) *Forwarder {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Forwarded == nil {
		config.Forwarded = func(int) {}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Forwarder{config: config, stored: wait.NewSignal(), refusals: refusals{}}
}

// Stored is called when this process has stored events.
func (f *Forwarder) Stored() { f.stored.Notify() }

// Run forwards until ctx ends.
func (f *Forwarder) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-f.stored.C():
		case <-ctx.Done():
			f.release(context.WithoutCancel(ctx))
			return
		}
		for f.Forward(ctx) && ctx.Err() == nil { // until a page is not full
		}
		pause := pace
		if f.failures > 0 {
			pause = min(firstPause<<min(f.failures-1, 10), maxPause)
		}
		wait.For(ctx, pause)
		timer.Reset(lookEvery)
	}
}

// Forward forwards one page. more reports that there may be others.
func (f *Forwarder) Forward(ctx context.Context) (more bool) {
	held, err := f.leads(ctx)
	if err != nil || !held {
		f.note(ctx, err)
		return false
	}
	page, err := f.config.Rows.NextEvents(ctx, f.config.Name, pageSize, f.refusals.waiting(f.config.Now())...)
	if err != nil || len(page) == 0 {
		f.note(ctx, err)
		return false
	}
	f.noteUnreadable(page)
	taken, refused := f.publish(ctx, page)
	failpoint.Reach("events/published")
	fault := f.judge(taken, refused)
	if len(taken) > 0 {
		f.config.Forwarded(len(taken))
		if err := f.config.Rows.ForgetEvents(ctx, f.config.Name, taken); err != nil {
			fault = err // they are published again
		}
	}
	f.note(ctx, fault)
	return fault == nil && full(page)
}

// full reports whether a page has ended at its number of events or, most likely, at its bytes.
func full(page []record.Event) bool {
	size := 0
	for i := range page {
		size += len(page[i].Subject) + len(page[i].Data)
	}
	return len(page) == pageSize || size > record.EventPageBytes/2
}

// publish publishes the first event of each subject, then the second, and so on. After a failure the subject's later
// events wait.
func (f *Forwarder) publish(ctx context.Context, page []record.Event) (taken []record.Event, refused []refusal) {
	failed := make(map[string]bool)
	for len(page) > 0 && f.leading() {
		wave, rest := make([]record.Event, 0, len(page)), []record.Event(nil)
		seen := make(map[string]bool, len(page))
		for i := range page {
			switch subject := page[i].Subject; {
			case failed[subject]:
			case seen[subject]:
				rest = append(rest, page[i])
			default:
				seen[subject] = true
				wave = append(wave, page[i])
			}
		}
		if len(wave) == 0 {
			break
		}
		for i, err := range f.config.Publisher.PublishEvents(ctx, withoutPlaces(wave)) {
			if err == nil {
				taken = append(taken, wave[i])
				continue
			}
			failed[wave[i].Subject], refused = true, append(refused, refusal{&wave[i], err})
		}
		page = rest
	}
	return taken, refused
}

// withoutPlaces returns the events alone.
func withoutPlaces(stored []record.Event) []wire.Event {
	all := make([]wire.Event, len(stored))
	for i := range stored {
		all[i] = stored[i].Event
	}
	return all
}

// leads reports whether this replica forwards. It renews the lease in time.
func (f *Forwarder) leads(ctx context.Context) (bool, error) {
	asked := f.config.Now()
	if asked.Before(f.heldUntil.Add(-lease / 3)) {
		return true, nil
	}
	held, err := f.config.Rows.HoldLease(ctx, f.leaseName(), f.config.Holder, lease)
	if err != nil {
		return false, err
	}
	f.heldUntil = time.Time{}
	if held {
		f.heldUntil = asked.Add(lease - lease/5)
	}
	return held, nil
}

// leading reports whether the lease still holds for sure.
func (f *Forwarder) leading() bool { return f.config.Now().Before(f.heldUntil) }

func (f *Forwarder) leaseName() string { return "events/" + string(f.config.Name) }

// release ends the lease, so that another replica goes on at once.
func (f *Forwarder) release(ctx context.Context) {
	if !f.leading() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, _ = f.config.Rows.HoldLease(ctx, f.leaseName(), f.config.Holder, 0) // else it expires
}

// note counts failures, and logs the first of a row.
func (f *Forwarder) note(ctx context.Context, err error) {
	if err == nil {
		f.failures = 0
		return
	}
	if f.failures++; f.failures == 1 && ctx.Err() == nil {
		f.config.Logger.Warn("lifecycle events wait, will try again", "sink", f.config.Name, "error", err)
	}
}
