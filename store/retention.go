package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// expiryPage is the number of index entries that one search for expired sagas reads.
const expiryPage = 2000

// Expiry returns what a rule selects now. It reads the index of ended sagas only.
func (s *Store) Expiry(ctx context.Context, rule record.RetentionRule) (record.Expiry, error) {
	found := record.Expiry{Definition: rule.Definition, Statuses: rule.Statuses}
	err := s.survey(ctx, func(tx pgx.Tx) error {
		if rule.Age > 0 {
			if err := tx.QueryRow(ctx, `select clock_timestamp() - $1::interval`, rule.Age).Scan(&found.Before); err != nil {
				return err
			}
			found.Before = found.Before.UTC()
		}
		if rule.Count <= 0 {
			return nil
		}
		rows, err := tx.Query(ctx, beyondStatement(rule.Statuses), rule.Definition, rule.Count)
		if err != nil {
			return err
		}
		_, err = pgx.ForEachRow(rows, []any{&found.Through}, func() error { return nil })
		return err
	})
	if err != nil {
		return record.Expiry{}, fmt.Errorf("find the retention of definition %s: %w", rule.Definition, err)
	}
	return found, nil
}

// beyondStatement finds the newest saga beyond a number of newer ones, over several statuses.
func beyondStatement(statuses []saga.Status) string {
	branches := make([]string, len(statuses))
	for i, status := range statuses {
		branches[i] = `(select id from sagas where definition = $1 and status = '` + string(status) + `' and finished_at is not null
			order by id desc limit $2::integer + 1)`
	}
	return `select id from (` + strings.Join(branches, " union all ") + `) newest order by id desc offset $2::integer limit 1`
}

// expiredStatement reads ended sagas of one status in the order of their ids, from the index alone.
const expiredStatement = `select id, case when finished_at` + usable + ` then finished_at end from sagas
	where definition = $1 and status = $2::text::saga_status and finished_at is not null and id > $3 and id <= $4
	order by id limit $5`

// Expired returns up to limit ids of sagas of one status that the expiry selects, oldest first. Some may need attention.
// next is the position of the next page, empty at the end.
func (s *Store) Expired(
	ctx context.Context, expiry record.Expiry, status saga.Status, after string, limit int,
) (ids []string, next string, err error) {
	last := expiry.Last()
	if last == "" || !storable(expiry.Definition) {
		return nil, "", nil
	}
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, expiredStatement, expiry.Definition, status, after, last, expiryPage)
		if err != nil {
			return err
		}
		var id string
		var finishedAt *time.Time
		read := 0
		_, err = pgx.ForEachRow(rows, []any{&id, &finishedAt}, func() error {
			if len(ids) == limit {
				return nil
			}
			if read++; finishedAt != nil && expiry.Selects(id, *finishedAt) {
				ids = append(ids, id)
			}
			if next = id; read < expiryPage && len(ids) < limit {
				next = ""
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("find old sagas of definition %s: %w", expiry.Definition, err)
	}
	return ids, next, nil
}

// savedVersion is the SQL of a saga's version: it changes with every write, also by hand.
const savedVersion = `s.id || '/' || s.revision || '/' || s.write_token || '/' || s.xmin`

// WithHistory returns those of the sagas that nothing keeps from deletion, with their histories, without those beyond a total size.
// It returns at least one, if there is one.
func (s *Store) WithHistory(ctx context.Context, ids []string) (found []record.SagaWithHistory, err error) {
	err = s.survey(ctx, func(tx pgx.Tx) error {
		found = nil
		position := make(map[string]int)
		rows, err := tx.Query(ctx, `select `+sagaColumns+` from sagas s where s.id = any(array(
				select sized.id from (select i.id, i.own, sum(i.own) over (order by i.id) as total from (
					select n.id, `+sizeOf("n.data", "n.progress")+` + (select coalesce(sum(`+sizeOf("d.entries")+`), 0)
						from saga_decisions d where d.saga_id = n.id) as own
					from sagas n where n.id in (select s.id from sagas s where s.id = any($1) and not (`+mustStay+`))) i) sized
				where sized.total - sized.own < $2)) order by s.id`, ids, loadBytes)
		if err != nil {
			return err
		}
		err = s.readSagas(rows, func(one record.StoredSaga, row *sagaRow) {
			position[one.ID] = len(found)
			version := one.ID + "/" + strconv.FormatInt(one.Revision, 10) + "/" + strconv.FormatInt(row.fence.token, 10) + "/" +
				strconv.FormatUint(uint64(row.fence.transaction), 10)
			found = append(found, record.SagaWithHistory{StoredSaga: one, Version: version})
		})
		if err != nil {
			return err
		}
		read := make([]string, len(found))
		for i := range found {
			read[i] = found[i].ID
		}
		rows, err = tx.Query(ctx, `select saga_id, seq, at, actor, entries from saga_decisions where saga_id = any($1)
			order by saga_id, seq`, read)
		if err != nil {
			return err
		}
		return readRows(rows, (*ownedDecisionRow).columns, func(row *ownedDecisionRow, fault error) {
			if at, known := position[row.sagaID]; known {
				found[at].History = append(found[at].History, row.read(place{s.keys, row.sagaID}, fault)...)
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read %d old sagas: %w", len(ids), err)
	}
	return found, nil
}

// ownedDecisionRow is a row of saga_decisions with its saga.
type ownedDecisionRow struct {
	sagaID string
	decisionRow
}

func (r *ownedDecisionRow) columns() []any {
	return append([]any{&r.sagaID}, r.decisionRow.columns()...)
}

// doomedStatement locks what is still to be deleted. A saga that another transaction holds is left for the next time. Its conditions
// keep the planner from every index but that of the ids: by the statistics of an empty table, one of all sagas of a definition is as good.
const doomedStatement = `select s.id from sagas s
	where s.id = any($1) and s.definition || '' = $2 and s.status::text = any($3::text[])
		and s.attention_reason is null and (s.finished_at < $4 or s.id <= $5)
		and not (` + mustStay + `)
		and ($6::text[] is null or ` + savedVersion + ` = any($6))
	order by s.id for update skip locked`

// mustStay is true of a saga of table s that retention cannot delete yet, whatever its state.
const mustStay = parentStands + ` or ` + childRuns + ` or ` + awaitsPublication

// awaitsPublication is true of a saga of table s with a command in the outbox.
const awaitsPublication = `exists (select from outbox o where o.saga_id = s.id offset 0)`

// deleteStatement deletes locked sagas. It comes after the lock: it must see the history and the outbox as they are then. Rows are
// found by arrays rather than by joins, whose order would depend on the statistics: those of a table that was empty a moment ago are
// the worst.
const deleteStatement = `with gone as (
		delete from sagas s where s.id = any($1) and not ` + awaitsPublication + `
		returning s.id, s.idempotency_key as key, s.finished_at,
			s.idempotency_key is not null and $2 > interval '0' and s.finished_at + $2 < now() as frees
	), history as (
		delete from saga_decisions d where d.saga_id = any(array(select id from gone))
	), kept as (
		update idempotency_keys k set ended_at = (select g.finished_at from gone g where g.id = k.saga_id)
		where k.key = any(array(select key from gone where not frees)) and k.saga_id = any(array(select id from gone where not frees))
	), freed as (
		delete from idempotency_keys k
		where k.key = any(array(select key from gone where frees)) and k.saga_id = any(array(select id from gone where frees)) returning 1
	)
	select (select count(*) from gone), (select count(*) from freed)`

// DeleteSagas deletes sagas with their histories, and returns how many, and how many idempotency keys went with them.
func (s *Store) DeleteSagas(ctx context.Context, deletion record.Deletion) (sagas, keys int, err error) {
	err = retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			// A crash may bring the sagas back, and they are deleted again. So the commit need not wait for the disk.
			if _, err := tx.Exec(ctx, `set local synchronous_commit = off`); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, doomedStatement, sortedStorable(deletion.IDs), deletion.Definition, statusTexts(deletion.Statuses),
				deletion.Before, deletion.Through, deletion.Versions)
			if err != nil {
				return err
			}
			doomed, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if sagas, keys = 0, 0; err != nil || len(doomed) == 0 {
				return err
			}
			return tx.QueryRow(ctx, deleteStatement, doomed, deletion.KeepKeys).Scan(&sagas, &keys)
		})
	})
	if err != nil {
		return 0, 0, fmt.Errorf("delete %d old sagas: %w", len(deletion.IDs), err)
	}
	return sagas, keys, nil
}

func statusTexts(statuses []saga.Status) []string {
	texts := make([]string, len(statuses))
	for i, status := range statuses {
		texts[i] = string(status)
	}
	return texts
}
