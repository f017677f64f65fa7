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

// countSagas counts sagas by definition and status. Ended ones are counted in one scan of the index sagas_ended, those of
// the last minutes by the minute in which they ended. The limits are subqueries, which are computed once, not for each row.
const countSagas = `select coalesce(definition, ''), coalesce(status::text, ''),
		case when finished_at >= (select date_trunc('minute', now()) - interval '1 hour') and isfinite(finished_at) then date_trunc('minute', finished_at) end as minute,
		count(*), count(*) filter (where finished_at > (select now() - interval '1 minute')),
		count(*) filter (where finished_at > (select now() - interval '1 hour'))
	from sagas where finished_at is not null group by definition, status, minute
	union all
	select coalesce(definition, ''), coalesce(status::text, ''), null, count(*), 0, 0 from sagas
	where finished_at is null group by definition, status`

// countStarted counts the sagas that started in the last minutes by the minute in which they started.
const countStarted = `select date_trunc('minute', created_at) as minute, count(*),
		count(*) filter (where created_at > now() - interval '1 minute'), count(*) filter (where created_at > now() - interval '1 hour')
	from sagas where created_at >= date_trunc('minute', now()) - interval '1 hour' and isfinite(created_at) group by minute`

// Stats counts everything on one snapshot.
func (s *Store) Stats(ctx context.Context) (record.Stats, error) {
	stats := record.Stats{Attention: make(map[saga.AttentionReason]int64)}
	b := &pgx.Batch{}
	b.Queue(`select now()`).QueryRow(func(row pgx.Row) error {
		var now time.Time
		err := row.Scan(&now)
		stats.Minutes = record.LastMinutes(now)
		return err
	})
	b.Queue(countSagas).Query(func(rows pgx.Rows) error { return addCounts(&stats, rows) })
	b.Queue(countStarted).Query(func(rows pgx.Rows) error { return addStarted(&stats, rows) })
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
	b.Queue(`select count(*) filter (where held_rank is null), count(held_rank),
			min(created_at) filter (where isfinite(created_at) and held_rank is null) from outbox`).QueryRow(func(row pgx.Row) error {
		var oldest *time.Time
		err := row.Scan(&stats.OutboxPending, &stats.OutboxHeldBack, &oldest)
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

// addCounts adds the rows of countSagas. A definition and status has several rows: one for each minute.
func addCounts(stats *record.Stats, rows pgx.Rows) error {
	type group struct {
		definition string
		status     saga.Status
	}
	sums := make(map[group]int64)
	var of group
	var minute *time.Time
	var sagas, lastMinute, lastHour int64
	columns := []any{&of.definition, &of.status, &minute, &sagas, &lastMinute, &lastHour}
	_, err := pgx.ForEachRow(rows, columns, func() error {
		sums[of] += sagas
		stats.FinishedLastMinute += lastMinute
		stats.FinishedLastHour += lastHour
		if m := record.MinuteOf(stats.Minutes, fromNullable(minute)); m != nil {
			m.Ended(of.status, sagas)
		}
		return nil
	})
	for of, sagas := range sums {
		stats.Counts = append(stats.Counts, record.Count{Definition: of.definition, Status: of.status, Sagas: sagas})
	}
	return err
}

// addStarted adds the rows of countStarted.
func addStarted(stats *record.Stats, rows pgx.Rows) error {
	var minute time.Time
	var sagas, lastMinute, lastHour int64
	_, err := pgx.ForEachRow(rows, []any{&minute, &sagas, &lastMinute, &lastHour}, func() error {
		stats.StartedLastMinute += lastMinute
		stats.StartedLastHour += lastHour
		if m := record.MinuteOf(stats.Minutes, minute); m != nil {
			m.Started += sagas
		}
		return nil
	})
	return err
}

// Unfinished counts the sagas that have not ended, by definition and status.
func (s *Store) Unfinished(ctx context.Context) (counts []record.Count, err error) {
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select coalesce(definition, ''), coalesce(status::text, ''), count(*) from sagas
			where finished_at is null group by definition, status order by 1, 2`)
		if err != nil {
			return err
		}
		counts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[record.Count])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count the unfinished sagas: %w", err)
	}
	return counts, nil
}
