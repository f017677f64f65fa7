package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// deliveryRow is a delivery with the time of its next attempt.
type deliveryRow struct {
	record.Delivery
	DueAt time.Time
}

func (r deliveryRow) key() string { return r.Webhook + "/" + r.EventID }

func (t *tables) putDelivery(row deliveryRow) {
	if t.deliveries[row.Webhook] == nil {
		t.deliveries[row.Webhook] = make(map[string]deliveryRow)
	}
	t.deliveries[row.Webhook][row.EventID] = row
}

func (w *writing) putDelivery(row deliveryRow) {
	w.put(bucketDeliveries, row.key(), row, func() { w.tables.putDelivery(row) })
}

func (w *writing) deleteDelivery(row deliveryRow) {
	w.delete(bucketDeliveries, row.key(), func() { delete(w.tables.deliveries[row.Webhook], row.EventID) })
}

func (w *writing) putWebhook(row record.Webhook) {
	w.put(bucketWebhooks, row.Name, row, func() { w.tables.webhooks[row.Name] = row })
}

// PutWebhook stores a webhook. It keeps the secret of an existing one unless the new one has a secret. created is false if
// it existed. Errors: record.ErrTooManyWebhooks.
func (s *Store) PutWebhook(ctx context.Context, hook record.Webhook, otherwise []byte) (kept record.Webhook, created bool, err error) {
	err = s.write(ctx, func(w *writing) error {
		known, exists := w.tables.webhooks[hook.Name]
		now := s.now()
		kept, created = known, !exists
		if created {
			if len(w.tables.webhooks) >= record.MaxWebhooks {
				return record.ErrTooManyWebhooks
			}
			kept = record.Webhook{Name: hook.Name, Secret: otherwise, CreatedAt: now}
		}
		kept.URL, kept.Events, kept.UpdatedAt = hook.URL, slices.Clone(hook.Events), now
		if len(hook.Secret) > 0 {
			kept.Secret = hook.Secret
		}
		w.putWebhook(kept)
		var replaced *record.Webhook
		if exists {
			replaced = &known
		}
		before, after, changed := kept.AuditedChange(replaced)
		if !changed {
			return nil
		}
		return w.audited(ctx, now, "webhook.put", "webhooks/"+hook.Name, "", before, after)
	})
	if err != nil {
		return record.Webhook{}, false, fmt.Errorf("store webhook %s: %w", hook.Name, err)
	}
	return s.shownWebhook(kept), created, nil
}

// shownWebhook adds what is counted. The caller holds no lock.
func (s *Store) shownWebhook(hook record.Webhook) record.Webhook {
	s.mu.RLock()
	defer s.mu.RUnlock()
	hook.Waiting, hook.Oldest = 0, time.Time{}
	for _, row := range s.tables.deliveries[hook.Name] {
		if hook.Waiting++; hook.Oldest.IsZero() || row.CreatedAt.Before(hook.Oldest) {
			hook.Oldest = row.CreatedAt
		}
	}
	return hook
}

// Webhook returns a webhook. Errors: record.ErrWebhookNotFound.
func (s *Store) Webhook(_ context.Context, name string) (record.Webhook, error) {
	s.mu.RLock()
	found, exists := s.tables.webhooks[name]
	s.mu.RUnlock()
	if !exists {
		return record.Webhook{}, fmt.Errorf("read webhook %s: %w", name, record.ErrWebhookNotFound)
	}
	return s.shownWebhook(found), nil
}

// Webhooks returns all webhooks by name.
func (s *Store) Webhooks(context.Context) ([]record.Webhook, error) {
	s.mu.RLock()
	all := slices.SortedFunc(maps.Values(s.tables.webhooks), func(a, b record.Webhook) int { return strings.Compare(a.Name, b.Name) })
	s.mu.RUnlock()
	for i := range all {
		all[i] = s.shownWebhook(all[i])
	}
	return all, nil
}

// WebhookEvents returns the names of all webhooks with the types of events that each wants.
func (s *Store) WebhookEvents(context.Context) (map[string][]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	wanted := make(map[string][]string, len(s.tables.webhooks))
	for name, hook := range s.tables.webhooks {
		wanted[name] = hook.Events
	}
	return wanted, nil
}

// DeleteWebhook deletes a webhook with its deliveries. Errors: record.ErrWebhookNotFound.
func (s *Store) DeleteWebhook(ctx context.Context, name string) error {
	err := s.write(ctx, func(w *writing) error {
		known, exists := w.tables.webhooks[name]
		if !exists {
			return record.ErrWebhookNotFound
		}
		for _, row := range w.tables.deliveries[name] {
			w.deleteDelivery(row)
		}
		w.delete(bucketWebhooks, name, func() { delete(w.tables.webhooks, name) })
		return w.audited(ctx, s.now(), "webhook.delete", "webhooks/"+name, "", known.Audited(), nil)
	})
	if err != nil {
		return fmt.Errorf("delete webhook %s: %w", name, err)
	}
	return nil
}

// AddDeliveries stores deliveries. One that exists, and one whose webhook does not, changes nothing.
func (s *Store) AddDeliveries(ctx context.Context, deliveries []record.Delivery) error {
	err := s.write(ctx, func(w *writing) error {
		now := s.now()
		for _, d := range deliveries {
			_, hook := w.tables.webhooks[d.Webhook]
			_, exists := w.tables.deliveries[d.Webhook][d.EventID]
			if hook && !exists {
				d.CreatedAt = now
				w.putDelivery(deliveryRow{Delivery: d, DueAt: now})
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store %d deliveries: %w", len(deliveries), err)
	}
	return nil
}

// ClaimDeliveries takes over due deliveries, the longest waiting ones of each webhook first.
func (s *Store) ClaimDeliveries(ctx context.Context, claim record.DeliveryClaim) (found []record.Delivery, err error) {
	err = s.write(ctx, func(w *writing) error {
		now := s.now()
		for name, room := range claim.Room {
			rows := slices.SortedFunc(maps.Values(w.tables.deliveries[name]), func(a, b deliveryRow) int {
				return cmp.Or(a.DueAt.Compare(b.DueAt), strings.Compare(a.EventID, b.EventID))
			})
			for _, row := range rows[:min(room, len(rows))] {
				if row.DueAt.After(now) {
					break
				}
				row.DueAt = now.Add(claim.Lease)
				w.putDelivery(row)
				row.URL, row.Secret = w.tables.webhooks[name].URL, w.tables.webhooks[name].Secret
				found = append(found, row.Delivery)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	return found, nil
}

// SettleDelivery deletes a delivery that was taken or given up, or says when the next attempt is due.
func (s *Store) SettleDelivery(ctx context.Context, outcome record.DeliveryOutcome) error {
	err := s.write(ctx, func(w *writing) error {
		now := s.now()
		if hook, exists := w.tables.webhooks[outcome.Webhook]; exists {
			hook.LastAt, hook.LastError = now, outcome.Error
			w.putWebhook(hook)
		}
		row, exists := w.tables.deliveries[outcome.Webhook][outcome.EventID]
		switch {
		case !exists:
		case outcome.RetryAfter > 0:
			row.DueAt = now.Add(outcome.RetryAfter)
			row.Attempts++
			w.putDelivery(row)
		default:
			w.deleteDelivery(row)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle the delivery of event %s to webhook %s: %w", outcome.EventID, outcome.Webhook, err)
	}
	return nil
}
