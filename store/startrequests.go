package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// maxStartLease bounds the lease of a start that was claimed again and again.
const maxStartLease = 10 * time.Minute

// claimStarts takes rows by one conditional update, without locks before it: of two replicas that find the same row, the
// second one sees that its lease has moved. Of the rows with one idempotency key, only the oldest is taken: the others
// learn from what became of it. From the fifth claim on, each one lasts twice as long as the one before, so that a row
// that cannot be stored does not block others; fewer claims may be those of replicas that died.
const claimStarts = `with due as materialized (
		select c.number from (
			select q.number, row_number() over w as position, sum(q.bytes) over w as total from (
				select r.number, octet_length(r.body) as bytes from start_requests r
				where r.claimed_until <= now() and not exists (select from start_requests e
					where e.idempotency_key = r.idempotency_key and e.number < r.number offset 0)
				order by r.number limit $1) q
			window w as (order by q.number)) c
		where c.position = 1 or c.total <= $2
	)
	update start_requests r
	set claimed_until = now() + least($3::interval * 2 ^ greatest(least(r.attempts, 20) - 4, 0), $4::interval), attempts = least(r.attempts, 1000000) + 1
	where r.number = any(array(select number from due)) and r.claimed_until <= now()
	returning r.number, r.saga_id, coalesce(r.idempotency_key, ''), r.body, r.actor,
		r.by_message, coalesce(r.trace_parent, '')`

// ClaimStarts takes over up to limit starts that saga_start has asked for and that no replica is taking in, the oldest
// first. bytes bounds the size of their bodies, but not of the first one. A start that is not dropped within the lease can be claimed again.
func (s *Store) ClaimStarts(ctx context.Context, limit, bytes int, lease time.Duration) ([]record.QueuedStart, error) {
	var claimed []record.QueuedStart
	err := retried(ctx, func() error {
		rows, err := s.pool.Query(ctx, claimStarts, limit, bytes, lease, maxStartLease)
		if err != nil {
			return err
		}
		claimed, err = pgx.CollectRows(rows, pgx.RowToStructByPos[record.QueuedStart])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim starts by SQL: %w", err)
	}
	return claimed, nil
}

// QueueStart stores a start by message that waits for its turn. Its number is new.
func (s *Store) QueueStart(ctx context.Context, start record.QueuedStart) error {
	if _, err := s.pool.Exec(ctx, `insert into start_requests (saga_id, idempotency_key, body, actor, by_message, trace_parent)
		values ($1, nullif($2, ''), $3, $4, $5, nullif($6, ''))`,
		start.SagaID, start.IdempotencyKey, string(start.Body), start.Actor, start.ByMessage, start.TraceParent); err != nil {
		return fmt.Errorf("queue a start: %w", err)
	}
	return nil
}

// ReturnStarts gives claimed starts back, as if they had not been claimed, but for a pause.
func (s *Store) ReturnStarts(ctx context.Context, numbers []int64, pause time.Duration) error {
	if _, err := s.pool.Exec(ctx, `update start_requests set claimed_until = now() + $2::interval, attempts = greatest(attempts - 1, 0)
		where number = any($1)`, numbers, pause); err != nil {
		return fmt.Errorf("return %d starts by SQL: %w", len(numbers), err)
	}
	return nil
}

// DropStarts deletes starts whose sagas or dead letters are stored.
func (s *Store) DropStarts(ctx context.Context, numbers []int64) error {
	if err := failpoint.Error("store/dropping-starts"); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, `delete from start_requests where number = any($1)`, numbers); err != nil {
		return fmt.Errorf("delete %d starts by SQL that are stored: %w", len(numbers), err)
	}
	return nil
}
