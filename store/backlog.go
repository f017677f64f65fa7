package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// Backlog counts outbox rows and dead letters, each up to record.BacklogBound.
func (s *Store) Backlog(ctx context.Context) (record.Backlog, error) {
	backlog := record.Backlog{DeadLetters: make(map[string]int64)}
	b := &pgx.Batch{}
	b.Queue(`select count(*), min(created_at) filter (where isfinite(created_at)) from (select created_at from outbox limit $1) o`, record.BacklogBound).
		QueryRow(func(row pgx.Row) error {
			var oldest *time.Time
			err := row.Scan(&backlog.OutboxPending, &oldest)
			backlog.OutboxOldest = fromNullable(oldest)
			return err
		})
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
	if err := s.survey(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() }); err != nil {
		return record.Backlog{}, fmt.Errorf("count the outbox and the dead letters: %w", err)
	}
	return backlog, nil
}
