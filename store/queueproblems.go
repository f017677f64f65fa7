package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// staleAfter is how long after its RetryAt a problem remains valid without being recorded again.
const staleAfter = 2 * time.Minute

// longestRetry is far longer than a problem waits for its next probe. One that would wait longer was written by hand, or before the
// database's clock was set back: it is stale.
const longestRetry = 5 * time.Minute

// NoteQueueProblems stores one problem per queue. A problem without a kind deletes the queue's problem.
func (s *Store) NoteQueueProblems(ctx context.Context, problems []record.QueueProblem) error {
	latest := make(map[string]record.QueueProblem, len(problems))
	for _, p := range problems {
		latest[cleaned(p.Queue)] = p
	}
	var over, queues, kinds, reasons []string
	var ages, waits []time.Duration
	now := time.Now() // the database's clock may differ: only durations go there
	for queue, p := range latest {
		if p.Kind == "" {
			over = append(over, queue)
			continue
		}
		age := time.Duration(0)
		if !p.Since.IsZero() {
			age = now.Sub(p.Since)
		}
		queues, kinds, reasons = append(queues, queue), append(kinds, string(p.Kind)), append(reasons, cleaned(p.Reason))
		ages, waits = append(ages, age), append(waits, p.RetryAt.Sub(now))
	}
	b := &pgx.Batch{}
	if len(over) > 0 {
		b.Queue(`delete from queue_problems where queue in (
			select queue from queue_problems where queue = any($1) order by queue for update)`, over)
	}
	if len(queues) > 0 {
		b.Queue(`insert into queue_problems as p (queue, kind, reason, since, retry_at)
			select n.queue, n.kind, n.reason, now() - n.age, now() + n.wait
			from unnest($1::text[], $2::text[], $3::text[], $4::interval[], $5::interval[]) as n (queue, kind, reason, age, wait)
			order by n.queue collate "C"
			on conflict (queue) do update set kind = excluded.kind, reason = excluded.reason, retry_at = excluded.retry_at,
				since = case when p.kind = excluded.kind and p.retry_at between now() - $6::interval and now() + $7::interval
					then least(p.since, excluded.since) else excluded.since end`,
			queues, kinds, reasons, ages, waits, staleAfter, longestRetry)
	}
	if b.Len() == 0 {
		return nil
	}
	if err := retried(ctx, func() error { return s.pool.SendBatch(ctx, b).Close() }); err != nil {
		return fmt.Errorf("note the problems of %d queues: %w", len(latest), err)
	}
	return nil
}

// QueueProblems returns the current problems of queues, by queue.
func (s *Store) QueueProblems(ctx context.Context) ([]record.QueueProblem, error) {
	var problems []record.QueueProblem
	err := s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select queue, kind, reason, since, retry_at from queue_problems
			where retry_at between now() - $1::interval and now() + $2::interval order by queue`, staleAfter, longestRetry)
		if err != nil {
			return err
		}
		return readRows(rows, (*problemRow).columns, func(row *problemRow, _ error) {
			row.problem.Since, row.problem.RetryAt = shownTime(row.since), shownTime(row.retryAt)
			problems = append(problems, row.problem)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the problems of queues: %w", err)
	}
	return problems, nil
}

type problemRow struct {
	problem        record.QueueProblem
	since, retryAt pgtype.Timestamptz
}

func (r *problemRow) columns() []any {
	return []any{&r.problem.Queue, (*string)(&r.problem.Kind), &r.problem.Reason, &r.since, &r.retryAt}
}

// Installation returns the random id of this installation, which a migration created.
func (s *Store) Installation(ctx context.Context) (string, error) {
	var id string
	if err := s.pool.QueryRow(ctx, `select id from installation`).Scan(&id); err != nil {
		return "", fmt.Errorf("read the id of the installation: %w", err)
	}
	return id, nil
}
