package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const apiKeyColumns = `id, name, role, hash, created_at, revoked_at`

// CreateKey stores an API key. A zero CreatedAt becomes the database's time.
func (s *Store) CreateKey(ctx context.Context, key record.Key) error {
	_, err := s.pool.Exec(ctx, `insert into api_keys (`+apiKeyColumns+`)
		values ($1, $2, $3, $4, coalesce($5, now()), $6)`,
		key.ID, key.Name, key.Role, key.Hash, nullable(key.CreatedAt), nullable(key.RevokedAt))
	if err != nil {
		return fmt.Errorf("create key %s: %w", key.ID, refused(err))
	}
	return nil
}

// Keys returns all keys, including revoked ones, newest first.
func (s *Store) Keys(ctx context.Context) ([]record.Key, error) {
	var keys []record.Key
	err := s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select `+apiKeyColumns+` from api_keys order by id desc`)
		if err != nil {
			return err
		}
		return readRows(rows, (*keyRow).columns, func(row *keyRow, _ error) { keys = append(keys, row.shown()) })
	})
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

// RevokeKey revokes a key. Revoking it again does not change its time. Errors: record.ErrKeyNotFound.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	if !storable(id) {
		return fmt.Errorf("revoke a key: %w", record.ErrKeyNotFound)
	}
	done, err := s.pool.Exec(ctx, `update api_keys set revoked_at = coalesce(revoked_at, now()) where id = $1`, id)
	if err == nil && done.RowsAffected() == 0 {
		err = record.ErrKeyNotFound
	}
	if err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	return nil
}

// KeyByHash returns the valid key with this hash. An unreadable key is not valid. Errors: record.ErrKeyNotFound.
func (s *Store) KeyByHash(ctx context.Context, hash []byte) (record.Key, error) {
	var key record.Key
	missing := record.ErrKeyNotFound
	err := s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select `+apiKeyColumns+` from api_keys where hash = $1 and revoked_at is null`, hash)
		if err != nil {
			return err
		}
		return readRows(rows, (*keyRow).columns, func(row *keyRow, fault error) {
			if fault == nil {
				key, missing = row.shown(), nil
			}
		})
	})
	if err = cmp.Or(err, missing); err != nil {
		return record.Key{}, fmt.Errorf("look up a key: %w", err)
	}
	return key, nil
}

// keyRow is a row of apiKeyColumns. Times that cannot be shown are left out without changing the key's validity.
type keyRow struct {
	key                  record.Key
	createdAt, revokedAt pgtype.Timestamptz
}

func (r *keyRow) columns() []any {
	return []any{&r.key.ID, &r.key.Name, (*string)(&r.key.Role), &r.key.Hash, &r.createdAt, &r.revokedAt}
}

func (r *keyRow) shown() record.Key {
	r.key.CreatedAt = shownTime(r.createdAt)
	if r.key.RevokedAt = shownTime(r.revokedAt); r.revokedAt.Valid && r.key.RevokedAt.IsZero() {
		r.key.RevokedAt = time.Unix(0, 0).UTC()
	}
	return r.key
}
