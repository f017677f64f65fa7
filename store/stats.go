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

// countEnded counts the ended sagas in one scan of the index sagas_ended, those of the last minutes by the minute in which
// they ended. The limits are subqueries, which are computed once, not for each row.
const (
	countEnded = `select coalesce(definition, ''), coalesce(status::text, ''),
		case when finished_at >= (select date_trunc('minute', now()) - interval '1 hour') and finished_at` + usable + ` then date_trunc('minute', finished_at) end as minute,
		count(*), count(*) filter (where finished_at > (select now() - interval '1 minute')),
		count(*) filter (where finished_at > (select now() - interval '1 hour'))
	from sagas where finished_at is not null`
	byMinuteOfEnd = ` group by definition, status, minute`
)

const (
	countUnfinished = `select coalesce(definition, ''), coalesce(status::text, ''), count(*) from sagas
	where finished_at is null`
	byStatus = ` group by definition, status`
)

// countStarted counts the sagas that started in the last minutes by the minute in which they started.
const (
	countStarted = `select date_trunc('minute', created_at) as minute, count(*),
		count(*) filter (where created_at > now() - interval '1 minute'), count(*) filter (where created_at > now() - interval '1 hour')
	from sagas where created_at >= date_trunc('minute', now()) - interval '1 hour' and created_at` + usable
	byMinute = ` group by minute`
)

// statsBatch queues counts of what a scope covers.
type statsBatch struct {
	*pgx.Batch
	scope record.Scope
}

// queue queues a statement on a table with the condition of the scope, after its conditions and before the rest.
func (b statsBatch) queue(statement, condition, rest string) *pgx.QueuedQuery {
	if b.scope == nil {
		return b.Queue(statement + rest)
	}
	return b.Queue(statement+" and "+condition+rest, []string(b.scope))
}

// Conditions of a scope, on a table with definitions and on one with ids of sagas.
const (
	covered   = `definition = any($1)`
	ofCovered = `exists (select from sagas s where s.id = saga_id and s.definition = any($1))`
)

// Stats counts what the scope covers. Few sagas are counted on one snapshot. With many, the counts of ended sagas and of the
// last hour are those of CountedAt, at most keptLife ago; those of a scope are always counted.
func (s *Store) Stats(ctx context.Context, scope record.Scope) (record.Stats, error) {
	counted, small := past{}, true
	if scope == nil {
		var err error
		if counted, small, err = s.kept.get(ctx); err != nil {
			return record.Stats{}, err
		}
	}
	b := statsBatch{&pgx.Batch{}, scope}
	if small {
		counted = past{begun: time.Now()}
		queuePast(b, &counted)
	}
	present := record.Stats{Attention: make(map[saga.AttentionReason]int64)}
	queuePresent(b, &present)
	if err := s.survey(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b.Batch).Close() }); err != nil {
		return record.Stats{}, fmt.Errorf("count sagas: %w", err)
	}
	if small && scope == nil {
		counted.took = time.Since(counted.begun)
		s.kept.put(counted)
	}
	present.CountedAt, present.Minutes = counted.CountedAt, slices.Clone(counted.Minutes)
	present.StartedLastMinute, present.StartedLastHour = counted.StartedLastMinute, counted.StartedLastHour
	present.FinishedLastMinute, present.FinishedLastHour = counted.FinishedLastMinute, counted.FinishedLastHour
	present.Counts = append(present.Counts, counted.Counts...)
	slices.SortFunc(present.Counts, func(a, b record.Count) int {
		return strings.Compare(a.Definition+"\x00"+string(a.Status), b.Definition+"\x00"+string(b.Status))
	})
	return present, nil
}

// countPast counts what is kept.
func (s *Store) countPast(ctx context.Context) (past, error) {
	counted := past{begun: time.Now()}
	b := statsBatch{Batch: &pgx.Batch{}}
	queuePast(b, &counted)
	if err := s.survey(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b.Batch).Close() }); err != nil {
		return past{}, fmt.Errorf("count the ended sagas: %w", err)
	}
	counted.took = time.Since(counted.begun)
	return counted, nil
}

func queuePast(b statsBatch, counted *past) {
	b.Queue(`select now()`).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&counted.CountedAt)
		counted.CountedAt = counted.CountedAt.UTC()
		counted.Minutes = record.LastMinutes(counted.CountedAt)
		return err
	})
	b.queue(countEnded, covered, byMinuteOfEnd).Query(func(rows pgx.Rows) error { return counted.addEnded(rows) })
	b.queue(countStarted, covered, byMinute).Query(func(rows pgx.Rows) error { return addStarted(&counted.Stats, rows) })
}

func queuePresent(b statsBatch, stats *record.Stats) {
	b.queue(countUnfinished, covered, byStatus).Query(func(rows pgx.Rows) error {
		var count record.Count
		_, err := pgx.ForEachRow(rows, []any{&count.Definition, &count.Status, &count.Sagas}, func() error {
			stats.Counts = append(stats.Counts, count)
			return nil
		})
		return err
	})
	b.queue(`select attention_reason, count(*) from sagas where attention_reason is not null`, covered, ` group by attention_reason`).
		Query(func(rows pgx.Rows) error {
			var reason saga.AttentionReason
			var count int64
			_, err := pgx.ForEachRow(rows, []any{&reason, &count}, func() error {
				stats.Attention[reason] = count
				return nil
			})
			return err
		})
	b.queue(`select count(*) filter (where held_rank is null), count(held_rank),
			min(created_at) filter (where created_at`+usable+` and held_rank is null) from outbox where true`, ofCovered, ``).QueryRow(func(row pgx.Row) error {
		var oldest *time.Time
		err := row.Scan(&stats.OutboxPending, &stats.OutboxHeldBack, &oldest)
		stats.OutboxOldest = fromNullable(oldest)
		return err
	})
	b.queue(`select count(*) from dead_letters where true`, ofCovered, ``).
		QueryRow(func(row pgx.Row) error { return row.Scan(&stats.DeadLetters) })
}

// addEnded adds the rows of countEnded. A definition and status has several rows: one for each minute.
func (p *past) addEnded(rows pgx.Rows) error {
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
		p.sagas += sagas
		p.FinishedLastMinute += lastMinute
		p.FinishedLastHour += lastHour
		if m := record.MinuteOf(p.Minutes, fromNullable(minute)); m != nil {
			m.Ended(of.status, sagas)
		}
		return nil
	})
	for of, sagas := range sums {
		p.Counts = append(p.Counts, record.Count{Definition: of.definition, Status: of.status, Sagas: sagas})
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
		rows, err := tx.Query(ctx, countUnfinished+byStatus+" order by 1, 2")
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
