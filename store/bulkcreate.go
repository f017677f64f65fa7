package store

import (
	"bytes"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// insertBulk reports whether the bulk action was inserted: if not, its idempotency key has one. It waits for a transaction
// that has inserted the key and not yet ended.
func (s *Store) insertBulk(ctx context.Context, tx pgx.Tx, action record.BulkAction) (made bool, err error) {
	done, err := tx.Exec(ctx, `insert into bulk_actions (id, kind, action, filter, parameters, reason, actor, rate, canary, stop_after,
			status, created_at, definitions, idempotency_key, request_hash)
		values ($1, $2, $3, $4::json, $5::json, $6, $7, $8, $9, $10, $11, clock_timestamp(), $12, nullif($13, ''), $14)
		on conflict (kind, idempotency_key) where idempotency_key is not null do nothing`,
		action.ID, action.Kind, action.Action, string(action.Filter), string(s.keys.JSON(action.ID, sealedParameters, action.Parameters)),
		cleaned(action.Reason), cleaned(action.Actor), action.Rate, action.Canary, action.StopAfter, record.BulkRunning, []string(action.Scope),
		action.IdempotencyKey, action.RequestHash)
	return done.RowsAffected() > 0, err
}

// repeatedBulk returns the bulk action of the idempotency key, if the key stands for the same request. Errors:
// record.ErrIdempotencyConflict; errVanished, if the row was deleted after the insertion met it.
func (s *Store) repeatedBulk(ctx context.Context, tx pgx.Tx, action record.BulkAction) (found record.BulkAction, err error) {
	rows, err := tx.Query(ctx, `select `+bulkColumns+` from bulk_actions a`+bulkTally+` where a.kind = $1 and a.idempotency_key = $2`,
		action.Kind, action.IdempotencyKey)
	if err == nil {
		found, err = s.oneBulk(ctx, tx, rows)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return found, errVanished
	case err != nil:
		return found, err
	case !bytes.Equal(found.RequestHash, action.RequestHash):
		return found, record.ErrIdempotencyConflict
	}
	return found, nil
}
