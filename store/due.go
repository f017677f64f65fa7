package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// Due returns up to limit sagas whose WakeAt is at least grace ago, in the order of (WakeAt, SagaID), after the given
// position. The zero position is the start.
func (s *Store) Due(
	ctx context.Context, grace time.Duration, after record.DueSaga, limit int,
) ([]record.DueSaga, error) {
	b := &pgx.Batch{}
	now := queueClock(b)
	var due []record.DueSaga
	b.Queue(`select s.id, s.wake_at from sagas s
		where s.wake_at <= now() - $1::interval and s.wake_at >= $2 and (s.wake_at > $2 or s.id > $3)
		order by s.wake_at, s.id limit $4`, grace, after.WakeAt, after.SagaID, limit).Query(func(rows pgx.Rows) error {
		return readRows(rows, func(d *dueRow) []any { return []any{&d.id, &d.wakeAt} }, func(d *dueRow, _ error) {
			due = append(due, record.DueSaga{SagaID: d.id, WakeAt: d.wakeAt.UTC()})
		})
	})
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, fmt.Errorf("look for due sagas: %w", err)
	}
	s.clock.observe(*now)
	return due, failpoint.Error("store/due")
}

type dueRow struct {
	id     string
	wakeAt time.Time
}
