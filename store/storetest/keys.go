package storetest

import (
	"crypto/sha256"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

func keyRules() map[string]rule {
	return map[string]rule{
		"a key is found by its hash":                  with(keyByHash),
		"a revoked key is not found, but listed":      with(keyRevoked),
		"a missing key cannot be revoked":             with(keyNotThere),
		"ids and hashes of keys are unique":           with(keyTwice),
		"an expired key is not found, but listed":     with(keyExpired),
		"a rotated key has two secrets for the grace": with(keyRotated),
		"the use of a key is recorded once a minute":  with(keyUsed),
	}
}

func newKey(name string) record.Key {
	hash := sha256.Sum256([]byte(name))
	return record.Key{ID: NewID(), Name: name, Role: record.Operator, Hash: hash[:]}
}

func keyByHash(f *Fixture) {
	t := f.t
	key := newKey("ci")
	require.NoError(t, f.CreateKey(t.Context(), key))
	found, err := f.KeyByHash(t.Context(), key.Hash)
	require.NoError(t, err)
	assert.False(t, found.CreatedAt.IsZero())
	key.CreatedAt = found.CreatedAt
	assert.Equal(t, key, found)
	_, err = f.KeyByHash(t.Context(), []byte("other"))
	require.ErrorIs(t, err, record.ErrKeyNotFound)
	_, err = f.KeyByHash(t.Context(), nil)
	require.ErrorIs(t, err, record.ErrKeyNotFound)
}

func keyRevoked(f *Fixture) {
	t := f.t
	first, second := newKey("first"), newKey("second")
	require.NoError(t, f.CreateKey(t.Context(), first))
	require.NoError(t, f.CreateKey(t.Context(), second))
	require.NoError(t, f.RevokeKey(t.Context(), first.ID))
	_, err := f.KeyByHash(t.Context(), first.Hash)
	require.ErrorIs(t, err, record.ErrKeyNotFound)
	before, err := f.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, before, 2)
	assert.Equal(t, second.ID, before[0].ID, "newest first")
	assert.True(t, before[0].RevokedAt.IsZero())
	assert.False(t, before[1].RevokedAt.IsZero())
	require.NoError(t, f.RevokeKey(t.Context(), first.ID))
	after, err := f.Keys(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before, after, "revoking again changes nothing")
}

func keyNotThere(f *Fixture) {
	t := f.t
	require.ErrorIs(t, f.RevokeKey(t.Context(), NewID()), record.ErrKeyNotFound)
}

func keyTwice(f *Fixture) {
	t := f.t
	key := newKey("ci")
	require.NoError(t, f.CreateKey(t.Context(), key))
	sameHash, sameID := newKey("ci"), newKey("other")
	sameID.ID = key.ID
	require.ErrorIs(t, f.CreateKey(t.Context(), sameHash), record.ErrRejected)
	require.ErrorIs(t, f.CreateKey(t.Context(), sameID), record.ErrRejected)
}

func keyExpired(f *Fixture) {
	t := f.t
	key, later := newKey("short"), newKey("long")
	key.ExpiresAt, later.ExpiresAt = time.Now().Add(-time.Second).UTC(), time.Now().Add(time.Hour).UTC()
	later.Scope = record.Scope{"order", "refund"}
	require.NoError(t, f.CreateKey(t.Context(), key))
	require.NoError(t, f.CreateKey(t.Context(), later))
	_, err := f.KeyByHash(t.Context(), key.Hash)
	require.ErrorIs(t, err, record.ErrKeyNotFound)
	_, err = f.RotateKey(t.Context(), key.ID, newKey("new").Hash, time.Hour)
	require.ErrorIs(t, err, record.ErrKeyEnded)
	_, err = f.RotateKey(t.Context(), NewID(), newKey("new").Hash, time.Hour)
	require.ErrorIs(t, err, record.ErrKeyNotFound)
	found, err := f.KeyByHash(t.Context(), later.Hash)
	require.NoError(t, err)
	assert.WithinDuration(t, later.ExpiresAt, found.ExpiresAt, time.Millisecond)
	assert.Equal(t, later.Scope, found.Scope)
	listed, err := f.Keys(t.Context())
	require.NoError(t, err)
	assert.Len(t, listed, 2)
}

func keyRotated(f *Fixture) {
	t := f.t
	key := newKey("first")
	require.NoError(t, f.CreateKey(t.Context(), key))
	second, third := newKey("second").Hash, newKey("third").Hash
	valid := func(hash []byte) bool {
		found, err := f.KeyByHash(t.Context(), hash)
		if err != nil {
			require.ErrorIs(t, err, record.ErrKeyNotFound)
			return false
		}
		assert.Equal(t, key.ID, found.ID)
		return true
	}
	rotated, err := f.RotateKey(t.Context(), key.ID, second, time.Hour)
	require.NoError(t, err)
	assert.Equal(t, second, rotated.Hash)
	assert.Equal(t, []bool{true, true}, []bool{valid(key.Hash), valid(second)}, "both, for the grace")
	_, err = f.RotateKey(t.Context(), key.ID, third, 0)
	require.NoError(t, err)
	assert.Equal(t, []bool{false, false, true}, []bool{valid(key.Hash), valid(second), valid(third)}, "without grace")
	_, err = f.RotateKey(t.Context(), NewID(), second, 0)
	require.ErrorIs(t, err, record.ErrKeyNotFound)
	_, err = f.RotateKey(t.Context(), key.ID, second, time.Hour)
	require.NoError(t, err)
	require.NoError(t, f.RevokeKey(t.Context(), key.ID))
	assert.Equal(t, []bool{false, false}, []bool{valid(second), valid(third)}, "a revocation ends both")
}

func keyUsed(f *Fixture) {
	t := f.t
	key := newKey("ci")
	require.NoError(t, f.CreateKey(t.Context(), key))
	used := func() time.Time {
		require.NoError(t, f.UseKey(t.Context(), key.ID))
		found, err := f.KeyByHash(t.Context(), key.Hash)
		require.NoError(t, err)
		return found.LastUsedAt
	}
	first := used()
	assert.False(t, first.IsZero())
	assert.Equal(t, first, used(), "once a minute")
	require.NoError(t, f.UseKey(t.Context(), NewID()), "a key that is gone is not an error")
}
