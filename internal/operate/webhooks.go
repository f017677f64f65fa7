package operate

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Outcomes of deliveries, for metrics.
const (
	DeliveryTaken  = "delivered"
	DeliveryFailed = "failed"   // it is tried again
	DeliveryGaveUp = "given_up" // after deliverFor
)

const (
	// deliverFor is how long a delivery is tried.
	deliverFor = 24 * time.Hour
	// atOnce is the number of deliveries to one webhook at the same time, by one replica.
	atOnce = 4
	// deliveryLease outlasts an attempt.
	deliveryLease = 2 * DeliveryTimeout
	// deliveryLook is the interval at which the store is asked for due deliveries.
	deliveryLook = 500 * time.Millisecond
	// wantedFor is how long what webhooks want is cached: a webhook gets the events of every replica this soon.
	wantedFor = time.Second
)

// retryAfter returns the pause after an attempt. attempts counts those that failed before.
func retryAfter(attempts int) time.Duration {
	pauses := []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	if attempts < len(pauses) {
		return pauses[attempts]
	}
	return time.Hour
}

// Webhooks stores webhooks and their deliveries.
type Webhooks interface {
	// WebhookEvents returns the names of all webhooks with the types of events that each wants.
	WebhookEvents(ctx context.Context) (wanted map[string][]string, err error)
	AddDeliveries(ctx context.Context, deliveries []record.Delivery) error
	ClaimDeliveries(ctx context.Context, claim record.DeliveryClaim) ([]record.Delivery, error)
	SettleDelivery(ctx context.Context, outcome record.DeliveryOutcome) error
}

// WebhookConfig configures the deliveries to webhooks. Webhooks, Source and Send are required.
type WebhookConfig struct {
	Webhooks Webhooks
	Source   string // of the events
	// Send makes one attempt. Its error is for operators.
	Send func(ctx context.Context, delivery record.Delivery) error
	// Delivered, if non-nil, is called after each attempt, for metrics. It must not block.
	Delivered func(webhook, outcome string)
	Logger    *slog.Logger     // nil: no log
	Now       func() time.Time // compared with the times of deliveries; nil: time.Now
}

// Deliveries delivers events to webhooks. Each webhook has its own room, so that one that hangs delays no other.
type Deliveries struct {
	config WebhookConfig
	added  wait.Signal

	mu      sync.Mutex
	running map[string]int // webhook → attempts
	wanted  map[string][]string
	types   map[string]bool // that any webhook wants; nil: not read yet
	read    time.Time
}

// NewDeliveries returns Deliveries. Run starts them.
func NewDeliveries(config WebhookConfig) *Deliveries {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Delivered == nil {
		config.Delivered = func(string, string) {}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Deliveries{config: config, added: wait.NewSignal(), running: make(map[string]int)}
}

// Wants reports whether a webhook wants events of a type. It knows the webhooks of wantedFor ago. Until it has read them it
// reports true: PublishEvents selects again, and an event that is not stored would be lost.
func (d *Deliveries) Wants(eventType string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.types == nil || d.types[eventType]
}

// Follow reads what webhooks want.
func (d *Deliveries) Follow(ctx context.Context) error {
	wanted, err := d.config.Webhooks.WebhookEvents(ctx)
	if err != nil {
		return err
	}
	types := make(map[string]bool)
	for _, events := range wanted {
		for _, one := range events {
			types[one] = true
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted, d.types, d.read = wanted, types, d.config.Now()
	return nil
}

// PublishEvents stores the deliveries of events to the webhooks that want them. It is the sink of lifecycle events.
func (d *Deliveries) PublishEvents(ctx context.Context, events []wire.Event) []error {
	faults := make([]error, len(events))
	if err := d.add(ctx, events, faults); err != nil {
		for i := range faults {
			faults[i] = cmp.Or(faults[i], err)
		}
	}
	return faults
}

// add stores the deliveries of the events that can be encoded, and sets the faults of the others.
func (d *Deliveries) add(ctx context.Context, events []wire.Event, faults []error) error {
	if err := d.Follow(ctx); err != nil { // not what was cached: a webhook may be new
		return err
	}
	d.mu.Lock()
	wanted := d.wanted
	d.mu.Unlock()
	var all []record.Delivery
	for i := range events {
		body, err := events[i].Encode(d.config.Source)
		if faults[i] = err; err != nil {
			continue
		}
		for name, types := range wanted {
			for _, one := range types {
				if one == events[i].Type {
					all = append(all, record.DeliveryOf(name, &events[i], body))
				}
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := d.config.Webhooks.AddDeliveries(ctx, all); err != nil {
		return err
	}
	d.added.Notify()
	return nil
}

// Run delivers until ctx ends, and waits for the attempts that it has begun.
func (d *Deliveries) Run(ctx context.Context) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-d.added.C():
		case <-ctx.Done():
			return
		}
		if d.stale() {
			if err := d.Follow(ctx); err != nil && ctx.Err() == nil {
				d.config.Logger.Debug("webhooks were not read", "error", err)
			}
		}
		for _, delivery := range d.claim(ctx) {
			attempts.Go(func() {
				defer d.ended(delivery.Webhook)
				d.attempt(ctx, delivery)
			})
		}
		timer.Reset(deliveryLook)
	}
}

func (d *Deliveries) stale() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config.Now().Sub(d.read) >= wantedFor
}

// claim claims as many due deliveries as there is room for, and counts them as running.
func (d *Deliveries) claim(ctx context.Context) []record.Delivery {
	room := make(map[string]int)
	d.mu.Lock()
	for name := range d.wanted {
		if free := atOnce - d.running[name]; free > 0 {
			room[name] = free
		}
	}
	d.mu.Unlock()
	if len(room) == 0 {
		return nil
	}
	claimed, err := d.config.Webhooks.ClaimDeliveries(ctx, record.DeliveryClaim{Room: room, Lease: deliveryLease})
	if err != nil && ctx.Err() == nil {
		d.config.Logger.Debug("deliveries were not claimed", "error", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, delivery := range claimed {
		d.running[delivery.Webhook]++
	}
	return claimed
}

// ended makes room for the next delivery to a webhook.
func (d *Deliveries) ended(webhook string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running[webhook]--; d.running[webhook] == 0 {
		delete(d.running, webhook)
	}
	d.added.Notify()
}

// attempt makes one attempt and stores its outcome. An attempt that the end of the process cuts short is made again by
// another replica, once its lease is over.
func (d *Deliveries) attempt(ctx context.Context, delivery record.Delivery) {
	err := delivery.Unreadable
	if err == nil {
		err = d.config.Send(ctx, delivery)
	}
	outcome := record.DeliveryOutcome{Webhook: delivery.Webhook, EventID: delivery.EventID}
	label := DeliveryTaken
	if err != nil {
		outcome.Error, label = err.Error(), DeliveryFailed
		outcome.RetryAfter = retryAfter(delivery.Attempts)
		if age := d.config.Now().Sub(delivery.CreatedAt); age+outcome.RetryAfter > deliverFor {
			outcome.RetryAfter, label = 0, DeliveryGaveUp
			d.config.Logger.Error("gave up the delivery of an event to a webhook", "webhook", delivery.Webhook,
				"event", delivery.EventID, "type", delivery.Type, "attempts", delivery.Attempts+1, "error", err)
		}
	}
	d.config.Delivered(delivery.Webhook, label)
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := d.config.Webhooks.SettleDelivery(storing, outcome); err != nil {
		d.config.Logger.Warn("the outcome of a delivery was not stored, it may be made again", "webhook", delivery.Webhook, "error", err)
	}
}

const settleTimeout = 2 * time.Second
