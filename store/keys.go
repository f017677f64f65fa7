package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga/record"
)

const apiKeyColumns = `id, name, role, hash, created_at, revoked_at`

// CreateKey keeps an API key. CreatedAt is the database's time when it is zero.
func (s *Store) CreateKey(ctx context.Context, key record.Key) error {
	_, err := s.pool.Exec(ctx, `insert into api_keys (`+apiKeyColumns+`)
		values ($1, $2, $3, $4, coalesce($5, now()), $6)`,
		key.ID, key.Name, key.Role, key.Hash, nullable(key.CreatedAt), nullable(key.RevokedAt))
	if err != nil {
		return fmt.Errorf("create key %s: %w", key.ID, refused(err))
	}
	return nil
}

// Keys returns every key, newest first, the revoked ones too.
func (s *Store) Keys(ctx context.Context) ([]record.Key, error) {
	rows, err := s.pool.Query(ctx, `select `+apiKeyColumns+` from api_keys order by id desc`)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

// RevokeKey ends a key's validity; one that is revoked already stays so. Errors: record.ErrKeyNotFound.
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

// KeyByHash returns the valid key with that hash. Errors: record.ErrKeyNotFound, for a revoked one too.
func (s *Store) KeyByHash(ctx context.Context, hash []byte) (record.Key, error) {
	rows, err := s.pool.Query(ctx, `select `+apiKeyColumns+` from api_keys where hash = $1 and revoked_at is null`, hash)
	if err != nil {
		return record.Key{}, fmt.Errorf("look up a key: %w", err)
	}
	key, err := pgx.CollectExactlyOneRow(rows, scanKey)
	if errors.Is(err, pgx.ErrNoRows) {
		err = record.ErrKeyNotFound
	}
	if err != nil {
		return record.Key{}, fmt.Errorf("look up a key: %w", err)
	}
	return key, nil
}

func scanKey(row pgx.CollectableRow) (record.Key, error) {
	var key record.Key
	var revokedAt *time.Time
	err := row.Scan(&key.ID, &key.Name, &key.Role, &key.Hash, &key.CreatedAt, &revokedAt)
	key.CreatedAt, key.RevokedAt = key.CreatedAt.UTC(), fromNullable(revokedAt)
	return key, err
}
