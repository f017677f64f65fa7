package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Stats counts everything on one snapshot. Finished sagas are counted from an index.
func (s *Store) Stats(ctx context.Context) (record.Stats, error) {
	stats := record.Stats{Attention: make(map[saga.AttentionReason]int64)}
	b := &pgx.Batch{}
	b.Queue(`select coalesce(definition, ''), coalesce(status::text, ''), count(*), count(*) filter (where finished_at > now() - interval '1 minute'),
			count(*) filter (where finished_at > now() - interval '1 hour')
		from sagas where finished_at is not null group by definition, status
		union all
		select coalesce(definition, ''), coalesce(status::text, ''), count(*), 0, 0 from sagas
		where finished_at is null group by definition, status`).
		Query(func(rows pgx.Rows) error {
			var count record.Count
			var lastMinute, lastHour int64
			columns := []any{&count.Definition, &count.Status, &count.Sagas, &lastMinute, &lastHour}
			_, err := pgx.ForEachRow(rows, columns, func() error {
				stats.Counts = append(stats.Counts, count)
				stats.FinishedLastMinute += lastMinute
				stats.FinishedLastHour += lastHour
				return nil
			})
			return err
		})
	b.Queue(`select attention_reason, count(*) from sagas where attention_reason is not null group by attention_reason`).
		Query(func(rows pgx.Rows) error {
			var reason saga.AttentionReason
			var count int64
			_, err := pgx.ForEachRow(rows, []any{&reason, &count}, func() error {
				stats.Attention[reason] = count
				return nil
			})
			return err
		})
	b.Queue(`select count(*) filter (where created_at > now() - interval '1 minute'), count(*)
		from sagas where created_at > now() - interval '1 hour'`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&stats.StartedLastMinute, &stats.StartedLastHour) })
	b.Queue(`select count(*), min(created_at) filter (where isfinite(created_at)) from outbox`).QueryRow(func(row pgx.Row) error {
		var oldest *time.Time
		err := row.Scan(&stats.OutboxPending, &oldest)
		stats.OutboxOldest = fromNullable(oldest)
		return err
	})
	b.Queue(`select count(*) from dead_letters`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&stats.DeadLetters) })
	err := s.survey(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() })
	if err != nil {
		return record.Stats{}, fmt.Errorf("count sagas: %w", err)
	}
	slices.SortFunc(stats.Counts, func(a, b record.Count) int {
		return strings.Compare(a.Definition+"\x00"+string(a.Status), b.Definition+"\x00"+string(b.Status))
	})
	return stats, nil
}
