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

const apiKeyColumns = `id, name, role, hash, created_at, revoked_at, expires_at, definitions, last_used_at, old_hash, old_until` //nolint:gosec // names of columns

// CreateKey stores an API key. A zero CreatedAt becomes the database's time.
func (s *Store) CreateKey(ctx context.Context, key record.Key) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into api_keys (`+apiKeyColumns+`)
		values ($1, $2, $3, $4, coalesce($5, now()), $6, $7, $8, $9, $10, $11)`,
			key.ID, key.Name, key.Role, key.Hash, nullable(key.CreatedAt), nullable(key.RevokedAt),
			nullable(key.ExpiresAt), []string(key.Scope), nullable(key.LastUsedAt), key.OldHash, nullable(key.OldUntil)); err != nil {
			return err
		}
		return s.audit(ctx, tx, "key.create", "keys/"+key.ID, "", nil, key.Audited())
	})
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
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `update api_keys set revoked_at = now() where id = $1 and revoked_at is null returning `+apiKeyColumns, id)
		if err != nil {
			return err
		}
		var key *record.Key
		err = readRows(rows, (*keyRow).columns, func(row *keyRow, _ error) { revoked := row.shown(); key = &revoked })
		if err == nil && key != nil {
			return s.audit(ctx, tx, "key.revoke", "keys/"+id, "", key.Audited(), key.AuditedRevocation())
		}
		var known bool
		if err == nil {
			err = tx.QueryRow(ctx, `select exists (select from api_keys where id = $1)`, id).Scan(&known)
		}
		if err == nil && !known {
			err = record.ErrKeyNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	return nil
}

// RotateKey gives a valid key the hash of a new secret. The secret before it stays valid for the grace, one that is older
// does not. Errors: record.ErrKeyNotFound, record.ErrKeyEnded.
func (s *Store) RotateKey(ctx context.Context, id string, hash []byte, grace time.Duration) (key record.Key, err error) {
	if !storable(id) {
		return key, fmt.Errorf("rotate a key: %w", record.ErrKeyNotFound)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		key, err = s.rotateKey(ctx, tx, id, hash, grace)
		return err
	})
	if err != nil {
		return record.Key{}, fmt.Errorf("rotate key %s: %w", id, refused(err))
	}
	return key, nil
}

func (s *Store) rotateKey(ctx context.Context, tx pgx.Tx, id string, hash []byte, grace time.Duration) (key record.Key, err error) {
	rows, err := tx.Query(ctx, `update api_keys set old_hash = hash, old_until = now() + $3, hash = $2
		where id = $1 and revoked_at is null and (expires_at is null or expires_at > now()) returning `+apiKeyColumns, id, hash, grace)
	missing, ended := record.ErrKeyNotFound, false
	if err == nil {
		err = readRows(rows, (*keyRow).columns, func(row *keyRow, _ error) { key, missing = row.shown(), nil })
	}
	if err == nil && missing != nil {
		err = tx.QueryRow(ctx, `select exists (select from api_keys where id = $1)`, id).Scan(&ended)
	}
	if ended {
		missing = record.ErrKeyEnded
	}
	if err = cmp.Or(err, missing); err == nil {
		err = s.audit(ctx, tx, "key.rotate", "keys/"+id, "", nil, key.AuditedRotation())
	}
	return key, err
}

// UseKey records that a key is in use, at most once in record.KeyUseInterval.
func (s *Store) UseKey(ctx context.Context, id string) error {
	_, err := s.pool.Exec(ctx, `update api_keys set last_used_at = now()
		where id = $1 and (last_used_at is null or last_used_at not between now() - $2::interval and now())`, id, record.KeyUseInterval)
	if err != nil {
		return fmt.Errorf("record the use of key %s: %w", id, err)
	}
	return nil
}

// KeyByHash returns the valid key with this hash, or with this hash before a rotation whose grace has not passed. An
// unreadable key is not valid. Errors: record.ErrKeyNotFound.
func (s *Store) KeyByHash(ctx context.Context, hash []byte) (record.Key, error) {
	var key record.Key
	missing := record.ErrKeyNotFound
	err := s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select `+apiKeyColumns+` from api_keys
			where (hash = $1 or old_hash = $1 and old_until > now()) and revoked_at is null and (expires_at is null or expires_at > now())`, hash)
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
	key                            record.Key
	createdAt, revokedAt           pgtype.Timestamptz
	expiresAt, lastUsedAt, oldTill pgtype.Timestamptz
}

func (r *keyRow) columns() []any {
	return []any{
		&r.key.ID, &r.key.Name, (*string)(&r.key.Role), &r.key.Hash, &r.createdAt, &r.revokedAt,
		&r.expiresAt, (*[]string)(&r.key.Scope), &r.lastUsedAt, &r.key.OldHash, &r.oldTill,
	}
}

func (r *keyRow) shown() record.Key {
	r.key.CreatedAt, r.key.ExpiresAt = shownTime(r.createdAt), shownTime(r.expiresAt)
	r.key.LastUsedAt, r.key.OldUntil = shownTime(r.lastUsedAt), shownTime(r.oldTill)
	if r.key.RevokedAt = shownTime(r.revokedAt); r.revokedAt.Valid && r.key.RevokedAt.IsZero() {
		r.key.RevokedAt = time.Unix(0, 0).UTC()
	}
	return r.key
}
