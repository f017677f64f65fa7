package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// CreateKey stores an API key. A zero CreatedAt becomes the store's time.
func (s *Store) CreateKey(ctx context.Context, key record.Key) error {
	err := s.write(ctx, func(w *writing) error {
		for _, other := range w.tables.apiKeys {
			if other.ID == key.ID || bytes.Equal(other.Hash, key.Hash) || bytes.Equal(other.OldHash, key.Hash) {
				return errStored
			}
		}
		key = cloneKey(key)
		if key.CreatedAt.IsZero() {
			key.CreatedAt = s.now()
		}
		w.putKey(key)
		return w.audited(ctx, s.now(), "key.create", "keys/"+key.ID, "", nil, key.Audited())
	})
	if err != nil {
		return fmt.Errorf("create key %s: %w", key.ID, err)
	}
	return nil
}

// Keys returns all keys, including revoked ones, newest first.
func (s *Store) Keys(context.Context) ([]record.Key, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows := slices.SortedFunc(maps.Values(s.tables.apiKeys), func(a, b record.Key) int { return strings.Compare(b.ID, a.ID) })
	for i := range rows {
		rows[i] = cloneKey(rows[i])
	}
	return rows, nil
}

// RevokeKey revokes a key. Revoking it again does not change its time. Errors: record.ErrKeyNotFound.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	err := s.write(ctx, func(w *writing) error {
		key, found := w.tables.apiKeys[id]
		if !found {
			return record.ErrKeyNotFound
		}
		if key.RevokedAt.IsZero() {
			key.RevokedAt = s.now()
			w.putKey(key)
			return w.audited(ctx, s.now(), "key.revoke", "keys/"+id, "", key.Audited(), key.AuditedRevocation())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	return nil
}

// RotateKey gives a valid key the hash of a new secret. The secret before it stays valid for the grace, one that is older
// does not. Errors: record.ErrKeyNotFound, record.ErrKeyEnded.
func (s *Store) RotateKey(ctx context.Context, id string, hash []byte, grace time.Duration) (key record.Key, err error) {
	err = s.write(ctx, func(w *writing) error {
		found, there := w.tables.apiKeys[id]
		if !there {
			return record.ErrKeyNotFound
		}
		if !found.Accepts(found.Hash, s.now()) {
			return record.ErrKeyEnded
		}
		key = cloneKey(found)
		key.OldHash, key.OldUntil, key.Hash = key.Hash, s.now().Add(grace), slices.Clone(hash)
		w.putKey(key)
		return w.audited(ctx, s.now(), "key.rotate", "keys/"+id, "", nil, key.AuditedRotation())
	})
	if err != nil {
		return record.Key{}, fmt.Errorf("rotate key %s: %w", id, err)
	}
	return cloneKey(key), nil
}

// UseKey records that a key is in use, at most once in record.KeyUseInterval.
func (s *Store) UseKey(ctx context.Context, id string) error {
	err := s.write(ctx, func(w *writing) error {
		key, found := w.tables.apiKeys[id]
		if found && key.LastUsedAt.Before(s.now().Add(-record.KeyUseInterval)) {
			key.LastUsedAt = s.now()
			w.putKey(key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record the use of key %s: %w", id, err)
	}
	return nil
}

// KeyByHash returns the valid key with this hash, or with this hash before a rotation whose grace has not passed. Errors:
// record.ErrKeyNotFound.
func (s *Store) KeyByHash(_ context.Context, hash []byte) (record.Key, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, key := range s.tables.apiKeys {
		if key.Accepts(hash, s.now()) {
			return cloneKey(key), nil
		}
	}
	return record.Key{}, fmt.Errorf("look up a key: %w", record.ErrKeyNotFound)
}

func (w *writing) putKey(key record.Key) {
	w.put(bucketAPIKeys, key.ID, key, func() { w.tables.apiKeys[key.ID] = key })
}

// cloneKey returns a copy of the key, as every store keeps it.
func cloneKey(key record.Key) record.Key {
	key.Hash, key.OldHash, key.Scope = slices.Clone(key.Hash), slices.Clone(key.OldHash), slices.Clone(key.Scope)
	key.CreatedAt, key.RevokedAt, key.ExpiresAt = micro(key.CreatedAt), micro(key.RevokedAt), micro(key.ExpiresAt)
	key.LastUsedAt, key.OldUntil = micro(key.LastUsedAt), micro(key.OldUntil)
	return key
}
