package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Backlog reads what waits to be done. It counts outbox rows, held back or not, dead letters, starts from SQL and unreadable entries of the audit log, each up to
// record.BacklogBound.
func (s *Store) Backlog(ctx context.Context) (record.Backlog, error) {
	backlog := record.Backlog{DeadLetters: make(map[string]int64), EventsOldest: make(map[record.Sink]time.Time)}
	b := &pgx.Batch{}
	// Rows that are held back have no end of a lease: a million of them must not hide the others, nor be read.
	b.Queue(`with recursive queues as (
			(select o.queue collate "C" as queue from outbox o order by o.queue collate "C" limit 1)
			union all
			select (select o.queue collate "C" from outbox o where o.queue collate "C" > q.queue order by o.queue collate "C" limit 1)
			from queues q where q.queue is not null)
		select count(*), min(created_at) filter (where created_at`+usable+` and not unread) from (
			select o.created_at, o.refused_at is not null and q.queue = $2 as unread from queues q cross join lateral (
				select o.created_at, o.refused_at from outbox o where o.queue collate "C" = q.queue and o.claimed_until < 'infinity' limit $1) o
			limit $1) o`, record.BacklogBound, wire.BetweenSagas).
		QueryRow(func(row pgx.Row) error {
			var oldest *time.Time
			err := row.Scan(&backlog.OutboxPending, &oldest)
			backlog.OutboxOldest = fromNullable(oldest)
			return err
		})
	b.Queue(`select count(*) from (select from outbox where held_rank is not null limit $1) o`, record.BacklogBound).
		QueryRow(func(row pgx.Row) error { return row.Scan(&backlog.HeldBack) })
	b.Queue(`select coalesce(source, ''), count(*) from (select source from dead_letters limit $1) d group by 1`, record.BacklogBound).
		Query(func(rows pgx.Rows) error {
			var source string
			var count int64
			_, err := pgx.ForEachRow(rows, []any{&source, &count}, func() error {
				backlog.DeadLetters[record.SourceOf(source)] += count
				return nil
			})
			return err
		})
	b.Queue(`select count(*), min(created_at) filter (where created_at`+usable+`) from (select created_at from start_requests limit $1) r`, record.BacklogBound).
		QueryRow(func(row pgx.Row) error {
			return row.Scan(&backlog.StartsPending, timeInto{&backlog.StartsOldest})
		})
	b.Queue(`select n.sink, e.oldest from unnest($1::text[]) as n (sink)
			cross join lateral (select min(at) as oldest from events where sink = n.sink and at`+usable+`) e where e.oldest is not null`, record.Sinks()).
		Query(func(rows pgx.Rows) error {
			var sink record.Sink
			var oldest time.Time
			_, err := pgx.ForEachRow(rows, []any{(*string)(&sink), &oldest}, func() error {
				backlog.EventsOldest[sink] = oldest.UTC()
				return nil
			})
			return err
		})
	b.Queue(auditBacklog, record.BacklogBound, unreadableActor, unreadableAction).QueryRow(func(row pgx.Row) error {
		return row.Scan(timeInto{&backlog.AuditOldest}, &backlog.AuditUnreadable)
	})
	if err := s.survey(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() }); err != nil {
		return record.Backlog{}, fmt.Errorf("count the outbox and the dead letters: %w", err)
	}
	return backlog, nil
}
