package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// QueueHealth returns the health of every queue that was checked, by queue.
func (s *Store) QueueHealth(ctx context.Context) (found []record.QueueHealth, err error) {
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		found, err = queueHealth(ctx, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the health of queues: %w", err)
	}
	return found, nil
}

func queueHealth(ctx context.Context, q queryer) ([]record.QueueHealth, error) {
	rows, err := q.Query(ctx, `select queue, coalesce(unhealthy, false), array(select r from unnest(reasons) r where r is not null), since, coalesce(least(changes, 1000000000000), 0)
		from queue_health order by queue`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h record.QueueHealth, err error) {
		err = row.Scan(&h.Queue, &h.Unhealthy, &h.Reasons, timeInto{&h.Since}, &h.Changes)
		return h, err
	})
}

// SettleQueueHealth stores the results of a check, with an event for each sink of each queue that became unhealthy, or
// healthy again. It returns these queues. Replicas take turns, so each change is noted once.
func (s *Store) SettleQueueHealth(
	ctx context.Context, verdicts []record.QueueVerdict, sinks func(eventType string) []record.Sink,
) (turned []record.QueueHealth, err error) {
	err = retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			turned, err = s.settleQueueHealth(ctx, tx, verdicts, sinks)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("store the health of %d queues: %w", len(verdicts), err)
	}
	return turned, nil
}

func (s *Store) settleQueueHealth(
	ctx context.Context, tx pgx.Tx, verdicts []record.QueueVerdict, sinks func(eventType string) []record.Sink,
) (turned []record.QueueHealth, err error) {
	if _, err := tx.Exec(ctx, `lock table queue_health in share row exclusive mode`); err != nil {
		return nil, err
	}
	var now time.Time
	if err := tx.QueryRow(ctx, `select clock_timestamp()`).Scan(&now); err != nil {
		return nil, err
	}
	known, err := queueHealth(ctx, tx)
	if err != nil {
		return nil, err
	}
	before := make(map[string]record.QueueHealth, len(known))
	for _, health := range known {
		before[health.Queue] = health
	}
	b := &pgx.Batch{}
	var events []record.Event
	for i := range verdicts {
		queue := verdicts[i].Evidence.Queue
		old, checked := before[queue]
		after, changed := verdicts[i].After(old, checked, now.UTC())
		if checked && after.Equal(old) || !storable(queue) {
			continue
		}
		b.Queue(`insert into queue_health (queue, unhealthy, reasons, since, changes) values ($1, $2, $3, $4, $5)
			on conflict (queue) do update set unhealthy = excluded.unhealthy, reasons = excluded.reasons, since = excluded.since,
				changes = excluded.changes`, queue, after.Unhealthy, append([]string{}, after.Reasons...), after.Since, after.Changes)
		if changed {
			own, err := record.QueueEvents(old, after, verdicts[i].Evidence, sinks)
			if err != nil {
				return nil, err
			}
			events, turned = append(events, own...), append(turned, after)
		}
	}
	s.queueEvents(b, events)
	if b.Len() == 0 {
		return nil, nil
	}
	return turned, tx.SendBatch(ctx, b).Close()
}

// RecentDeadLetters counts the commands of each queue that were dead-lettered since a time ago and are still there. It
// returns the database's time with them.
func (s *Store) RecentDeadLetters(ctx context.Context, since time.Duration) (byQueue map[string]int64, now time.Time, err error) {
	byQueue = make(map[string]int64)
	err = s.survey(ctx, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `select clock_timestamp()`).Scan(&now); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select queue, count(*) from dead_letters
			where received_at > now() - $1::interval and source = $2 group by queue`, since, record.SourceCommand)
		if err != nil {
			return err
		}
		var queue string
		var count int64
		_, err = pgx.ForEachRow(rows, []any{&queue, &count}, func() error {
			byQueue[queue] = count
			return nil
		})
		return err
	})
	if err != nil {
		return nil, now, fmt.Errorf("count recent dead letters: %w", err)
	}
	return byQueue, now.UTC(), nil
}
