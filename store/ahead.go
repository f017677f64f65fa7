package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Waits and leases are set from the database's clock. Once that was set back, or after an edit by hand, they lie further ahead than the
// program can have set them, by what the row itself says of how long it waits. Such a row is due. It is looked for apart from the
// claims, whose plans stay those of a range that begins in the past.

// mostAhead bounds the rows that one look makes due in each table.
const mostAhead = 10_000

const (
	// deliveriesAhead knows the pauses of internal/operate after so many failures. A claim lasts less than a minute.
	deliveriesAhead = `update webhook_deliveries d set due_at = clock_timestamp()
		where d.ctid = any(array(select f.place from webhooks w cross join lateral (select o.ctid as place from webhook_deliveries o
			where o.webhook = w.name and o.due_at > clock_timestamp() + interval '1 minute'
				and o.due_at > clock_timestamp() + case coalesce(o.attempts, 0) when 0 then interval '1 minute' when 1 then '1 minute' when 2 then '1 minute'
					when 3 then '2 minutes' when 4 then '10 minutes' when 5 then '30 minutes' else '1 hour' end
			order by o.due_at desc limit $1 for update skip locked) f))`

	// commandsAhead leaves commands that are held back: they have a rank, and wait without end. Those that were refused or are broken
	// wait longer each time; a lease lasts seconds.
	commandsAhead = `with recursive queues as (
			(select o.queue collate "C" as queue from outbox o order by o.queue collate "C" limit 1)
			union all
			select (select o.queue collate "C" from outbox o where o.queue collate "C" > q.queue order by o.queue collate "C" limit 1)
			from queues q where q.queue is not null
		), ahead as materialized (
			select f.place from queues q cross join lateral (select o.ctid as place from outbox o
				where o.queue collate "C" = q.queue and o.claimed_until > now() + interval '1 minute' and o.held_rank is null
					and o.claimed_until > now() + case when o.leased then interval '1 minute'
						else least(interval '1 hour', greatest(interval '1 minute', interval '5 s' * 2 ^ least(greatest(coalesce(o.attempts, 0), 0), 20))) end
				order by o.claimed_until desc limit $1 for update skip locked) f
		)
		update outbox o set claimed_until = now(), leased = false, attempts = least(coalesce(o.attempts, 0), 1000000) + coalesce(o.leased::integer, 0)
		where o.ctid = any(array(select place from ahead))`

	// startsAhead knows the leases of claimStarts, of which the first ones last seconds.
	startsAhead = `update start_requests r set claimed_until = now()
		where r.number = any(array(select a.number from start_requests a where a.claimed_until > now() + interval '1 minute'
			and a.claimed_until > now() + least(interval '1 minute' * 2 ^ greatest(least(a.attempts, 20) - 5, 0), interval '10 minutes')
			order by a.number limit $1 for update skip locked))`
)

// EndWaitsAhead makes due what waits for longer than the program lets it wait. Call it every few seconds.
func (s *Store) EndWaitsAhead(ctx context.Context) error {
	for _, statement := range []string{deliveriesAhead, commandsAhead, startsAhead} {
		err := retried(ctx, func() error {
			return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, statement, mostAhead)
				return err
			})
		})
		if err != nil {
			return fmt.Errorf("look for waits that lie too far ahead: %w", err)
		}
	}
	return nil
}
