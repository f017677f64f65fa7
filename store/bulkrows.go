package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const bulkColumns = `a.id, coalesce(a.kind, ''), coalesce(a.action, ''), coalesce(a.filter, '{}'), coalesce(a.parameters, '{}'), coalesce(a.reason, ''),
	coalesce(a.actor, ''), coalesce(case when a.rate > 0 then least(greatest(a.rate, 0.01), 1000000) end, 0), coalesce(a.canary, 0), coalesce(a.stop_after, 0), coalesce(a.stop_base, 0),
	coalesce(a.status, 'stopped'), a.created_at, a.finished_at,
	case when a.definitions is not null then array(select d from unnest(a.definitions) d where d is not null) end,
	coalesce(a.idempotency_key, ''), a.request_hash, i.matched, i.done, i.refused, i.failed`

// bulkTally counts the targets of a row a of bulk_actions.
const bulkTally = ` cross join lateral (select count(*)::integer as matched, count(*) filter (where outcome = 'done')::integer as done,
		count(*) filter (where outcome = 'refused')::integer as refused, count(*) filter (where outcome = 'failed')::integer as failed
	from bulk_items where bulk_id = a.id) i`

func (s *Store) bulks(ctx context.Context, where string, arguments ...any) (found []record.BulkAction, err error) {
	if id, is := arguments[0].(string); is && !storable(id) {
		return nil, nil
	}
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select `+bulkColumns+` from bulk_actions a`+bulkTally+` `+where, arguments...)
		if err != nil {
			return err
		}
		found, err = s.scanBulks(ctx, tx, rows)
		return err
	})
	return found, err
}

// scanBulks reads bulk actions. Parameters that no key opens stay as they are stored, and fail each target, unless the store lacks
// a key: then they may be whole.
func (s *Store) scanBulks(ctx context.Context, tx pgx.Tx, rows pgx.Rows) ([]record.BulkAction, error) {
	found, err := pgx.CollectRows(rows, scanBulk)
	for i := 0; i < len(found) && err == nil; i++ {
		var plain []byte
		if plain, err = s.keys.OpenJSON(found[i].ID, sealedParameters, found[i].Parameters); err == nil {
			found[i].Filter, found[i].Parameters = showable(found[i].Filter), showable(plain)
		} else {
			err = s.lackedKeys(ctx, tx)
		}
	}
	return found, err
}

// oneBulk reads the one bulk action of rows. Errors: pgx.ErrNoRows.
func (s *Store) oneBulk(ctx context.Context, tx pgx.Tx, rows pgx.Rows) (record.BulkAction, error) {
	found, err := s.scanBulks(ctx, tx, rows)
	if err == nil && len(found) == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return record.BulkAction{}, err
	}
	return found[0], nil
}

func scanBulk(row pgx.CollectableRow) (a record.BulkAction, err error) {
	err = row.Scan(&a.ID, &a.Kind, &a.Action, (*[]byte)(&a.Filter), (*[]byte)(&a.Parameters), &a.Reason, &a.Actor, &a.Rate, &a.Canary, &a.StopAfter, &a.StopBase,
		&a.Status, timeInto{&a.CreatedAt}, timeInto{&a.FinishedAt}, (*[]string)(&a.Scope), &a.IdempotencyKey, &a.RequestHash,
		&a.Tally.Matched, &a.Tally.Done, &a.Tally.Refused, &a.Tally.Failed)
	return a, err
}
