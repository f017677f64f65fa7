package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// AddDeliveries stores deliveries. One that exists, and one whose webhook does not, changes nothing.
func (s *Store) AddDeliveries(ctx context.Context, deliveries []record.Delivery) error {
	n := len(deliveries)
	hooks, events, types, bodies := make([]string, n), make([]string, n), make([]string, n), make([][]byte, n)
	for i, d := range deliveries {
		hooks[i], events[i], types[i], bodies[i] = d.Webhook, d.EventID, d.Type, s.keys.Bytes(d.EventID, sealedDelivery, d.Body)
	}
	err := retried(ctx, func() error {
		_, err := s.pool.Exec(ctx, `insert into webhook_deliveries (webhook, event_id, type, body)
			select n.* from unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) as n (webhook, event_id, type, body)
			where exists (select from webhooks w where w.name = n.webhook) and length(n.webhook) <= 1000 -- more does not fit the index
			on conflict do nothing`, hooks, events, types, bodies)
		return err
	})
	if err != nil {
		return fmt.Errorf("store %d deliveries: %w", n, err)
	}
	return nil
}

const claimDeliveries = `with due as materialized (
		select c.place from unnest($1::text[], $2::integer[]) as n (name, room)
		cross join lateral (select d.ctid as place from webhook_deliveries d
			where d.webhook = n.name and d.due_at <= clock_timestamp() order by d.due_at limit n.room for update skip locked) c)
	update webhook_deliveries d set due_at = clock_timestamp() + $3::interval
	from webhooks w where w.name = d.webhook || '' and d.ctid = any(array(select place from due))
	returning d.webhook, d.event_id, coalesce(d.type, ''), d.body, d.created_at, coalesce(d.attempts, 0),
		coalesce(case when octet_length(w.url) <= $4 then w.url end, ''), coalesce(octet_length(w.url) > $4, false), w.secret`

// ClaimDeliveries takes over due deliveries, the longest waiting ones of each webhook first. One whose body no key opens is
// Unreadable, and so is one to a URL that is too long.
func (s *Store) ClaimDeliveries(ctx context.Context, claim record.DeliveryClaim) (found []record.Delivery, err error) {
	names, rooms := make([]string, 0, len(claim.Room)), make([]int, 0, len(claim.Room))
	for name, room := range claim.Room {
		names, rooms = append(names, name), append(rooms, room)
	}
	rows, err := s.pool.Query(ctx, claimDeliveries, names, rooms, claim.Lease, maxStoredURL)
	if err == nil {
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d record.Delivery, err error) {
			var tooLong bool
			err = row.Scan(&d.Webhook, &d.EventID, &d.Type, &d.Body, timeInto{&d.CreatedAt}, &d.Attempts, &d.URL, &tooLong, &d.Secret)
			if tooLong {
				d.Unreadable = record.ErrURLTooLong
			}
			return d, err
		})
	}
	lacking := sync.OnceValue(func() error { return s.lackedKeys(ctx, s.pool) })
	for i := 0; i < len(found) && err == nil; i++ {
		d := &found[i]
		body, sealed := s.keys.OpenBytes(d.EventID, sealedDelivery, d.Body)
		if d.Body = body; sealed != nil {
			d.Unreadable, err = sealed, lacking()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	return found, nil
}

// SettleDelivery deletes a delivery that was taken or given up, or says when the next attempt is due.
func (s *Store) SettleDelivery(ctx context.Context, outcome record.DeliveryOutcome) error {
	b := &pgx.Batch{}
	b.Queue(`update webhooks set last_at = clock_timestamp(), last_error = $2 where name = $1`, outcome.Webhook, cleaned(outcome.Error[:min(len(outcome.Error), maxStoredError)]))
	if outcome.RetryAfter > 0 {
		b.Queue(`update webhook_deliveries set due_at = clock_timestamp() + $3::interval, attempts = least(attempts, 1000000) + 1
			where webhook = $1 and event_id = $2`, outcome.Webhook, outcome.EventID, outcome.RetryAfter)
	} else {
		b.Queue(`delete from webhook_deliveries where webhook = $1 and event_id = $2`, outcome.Webhook, outcome.EventID)
	}
	if err := retried(ctx, func() error { return s.pool.SendBatch(ctx, b).Close() }); err != nil {
		return fmt.Errorf("settle the delivery of event %s to webhook %s: %w", outcome.EventID, outcome.Webhook, err)
	}
	return nil
}
