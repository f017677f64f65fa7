package storetest

import (
	"crypto/sha256"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

func deadLetterRules() map[string]rule {
	return map[string]rule{
		"a dead letter comes out as it was put aside":    with(deadLetterComesOut),
		"the same dead letter again changes nothing":     with(deadLetterOnce),
		"dead letters are listed newest first, in pages": with(deadLetterPages),
		"a dead letter that is deleted is gone, once":    with(deadLetterDeleted),
		"a page after what is not a position is refused": with(deadLetterPageRefused),
	}
}

func (w *World) putAside(letters ...record.DeadLetter) {
	w.t.Helper()
	err := w.Transact(w.t.Context(), record.Batch{DeadLetters: letters},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(w.t, err)
}

func deadLetterComesOut(w *World) {
	t := w.t
	put := record.DeadLetter{
		ID: "derived-1", Source: record.SourceReply, Queue: "saga.replies", Reason: "malformed_reply", Message: "not <JSON>",
		SagaID: "s", CommandID: "s/a/execute/1", Headers: []byte(`{"x":[1e300,"é"],"a":1}`),
		Body: []byte{0, 255, '{', '\n'}, ContentType: "text/plain",
	}
	bare := record.DeadLetter{ID: "derived-2", Source: "start"}
	w.putAside(put, bare)
	got, err := w.DeadLetter(t.Context(), put.ID)
	require.NoError(t, err)
	assert.False(t, got.ReceivedAt.IsZero())
	put.ReceivedAt, put.Size = got.ReceivedAt, len(put.Body)
	assert.Equal(t, put, got)
	got, err = w.DeadLetter(t.Context(), bare.ID)
	require.NoError(t, err)
	assert.Empty(t, got.Headers)
	assert.Empty(t, got.Body)
}

func deadLetterOnce(w *World) {
	t := w.t
	first := record.DeadLetter{ID: "derived-1", Source: record.SourceReply, Message: "first"}
	again := record.DeadLetter{ID: "derived-1", Source: record.SourceReply, Message: "second"}
	w.putAside(first, again)
	before, err := w.DeadLetter(t.Context(), first.ID)
	require.NoError(t, err)
	w.putAside(again)
	after, err := w.DeadLetter(t.Context(), first.ID)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	assert.Equal(t, "first", after.Message)
	stats, err := w.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(1), stats.DeadLetters)
}

func (w *World) deadLetterIDs(page record.Page) []string {
	w.t.Helper()
	letters, _, err := w.DeadLetters(w.t.Context(), page)
	require.NoError(w.t, err)
	ids := make([]string, len(letters))
	for i := range letters {
		ids[i] = letters[i].ID
	}
	return ids
}

func deadLetterPages(w *World) {
	t := w.t
	want := []string{"z", "b", "x", "a", "m"} // ids of any form, in the order of their coming
	for _, id := range want {
		w.putAside(record.DeadLetter{ID: id, Source: record.SourceReply})
	}
	slices.Reverse(want)
	assert.Equal(t, want, w.deadLetterIDs(record.Page{}))
	assert.Equal(t, want[:2], w.deadLetterIDs(record.Page{Limit: 2}))
	var paged []string
	page := record.Page{Limit: 2}
	for first := true; first || page.After != ""; first = false {
		letters, next, err := w.DeadLetters(t.Context(), page)
		require.NoError(t, err)
		for _, letter := range letters {
			paged = append(paged, letter.ID)
			require.NoError(t, w.DeleteDeadLetter(t.Context(), letter.ID), "a position outlives its dead letter")
		}
		page.After = next
	}
	assert.Equal(t, want, paged)
}

func deadLetterDeleted(w *World) {
	t := w.t
	w.putAside(record.DeadLetter{ID: "a", Source: record.SourceReply}, record.DeadLetter{ID: "b", Source: record.SourceReply})
	require.NoError(t, w.DeleteDeadLetter(t.Context(), "a"))
	require.ErrorIs(t, w.DeleteDeadLetter(t.Context(), "a"), record.ErrDeadLetterNotFound)
	_, err := w.DeadLetter(t.Context(), "a")
	require.ErrorIs(t, err, record.ErrDeadLetterNotFound)
	assert.Equal(t, []string{"b"}, w.deadLetterIDs(record.Page{}))
}

func deadLetterPageRefused(w *World) {
	t := w.t
	for _, after := range []string{"gone", "x_gone", "99999999999999999999_a", "1\x00_a"} {
		_, _, err := w.DeadLetters(t.Context(), record.Page{After: after})
		require.ErrorIs(t, err, record.ErrPageNotFound, after)
	}
}

func keyRules() map[string]rule {
	return map[string]rule{
		"a key is found by its hash":                  with(keyByHash),
		"a revoked key is not found, but listed":      with(keyRevoked),
		"a key that is not there cannot be revoked":   with(keyNotThere),
		"neither an id nor a hash is given out twice": with(keyTwice),
	}
}

func newKey(name string) record.Key {
	hash := sha256.Sum256([]byte(name))
	return record.Key{ID: NewID(), Name: name, Role: record.Operator, Hash: hash[:]}
}

func keyByHash(w *World) {
	t := w.t
	key := newKey("ci")
	require.NoError(t, w.CreateKey(t.Context(), key))
	found, err := w.KeyByHash(t.Context(), key.Hash)
	require.NoError(t, err)
	assert.False(t, found.CreatedAt.IsZero())
	key.CreatedAt = found.CreatedAt
	assert.Equal(t, key, found)
	_, err = w.KeyByHash(t.Context(), []byte("other"))
	require.ErrorIs(t, err, record.ErrKeyNotFound)
	_, err = w.KeyByHash(t.Context(), nil)
	require.ErrorIs(t, err, record.ErrKeyNotFound)
}

func keyRevoked(w *World) {
	t := w.t
	first, second := newKey("first"), newKey("second")
	require.NoError(t, w.CreateKey(t.Context(), first))
	require.NoError(t, w.CreateKey(t.Context(), second))
	require.NoError(t, w.RevokeKey(t.Context(), first.ID))
	_, err := w.KeyByHash(t.Context(), first.Hash)
	require.ErrorIs(t, err, record.ErrKeyNotFound)
	before, err := w.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, before, 2)
	assert.Equal(t, second.ID, before[0].ID, "newest first")
	assert.True(t, before[0].RevokedAt.IsZero())
	assert.False(t, before[1].RevokedAt.IsZero())
	require.NoError(t, w.RevokeKey(t.Context(), first.ID))
	after, err := w.Keys(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before, after, "revoked once and for all")
}

func keyNotThere(w *World) {
	t := w.t
	require.ErrorIs(t, w.RevokeKey(t.Context(), NewID()), record.ErrKeyNotFound)
}

func keyTwice(w *World) {
	t := w.t
	key := newKey("ci")
	require.NoError(t, w.CreateKey(t.Context(), key))
	sameHash, sameID := newKey("ci"), newKey("other")
	sameID.ID = key.ID
	require.ErrorIs(t, w.CreateKey(t.Context(), sameHash), record.ErrRejected)
	require.ErrorIs(t, w.CreateKey(t.Context(), sameID), record.ErrRejected)
}
