package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// CreateKey stores an API key. A zero CreatedAt becomes the store's time.
func (s *Store) CreateKey(ctx context.Context, key record.Key) error {
	err := s.write(ctx, func(w *writing) error {
		for _, other := range w.tables.apiKeys {
			if other.ID == key.ID || bytes.Equal(other.Hash, key.Hash) {
				return errStored
			}
		}
		key = cloneKey(key)
		if key.CreatedAt.IsZero() {
			key.CreatedAt = s.now()
		}
		w.putKey(key)
		return nil
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
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	return nil
}

// KeyByHash returns the valid key with this hash. Errors: record.ErrKeyNotFound, also for a revoked key.
func (s *Store) KeyByHash(_ context.Context, hash []byte) (record.Key, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, key := range s.tables.apiKeys {
		if bytes.Equal(key.Hash, hash) && key.RevokedAt.IsZero() {
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
	key.Hash = slices.Clone(key.Hash)
	key.CreatedAt, key.RevokedAt = micro(key.CreatedAt), micro(key.RevokedAt)
	return key
}
