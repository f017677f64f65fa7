package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func auditRules() map[string]rule {
	return map[string]rule{
		"an audit entry is stored with its change":            with(auditWithChange),
		"the audit log shows what a change replaced":          with(auditBefore),
		"the audit log is one chain of all writers":           with(auditChained),
		"the audit log is filtered, newest first, in pages":   with(auditFiltered),
		"old audit entries expire, and the chain stays valid": with(auditExpires),
		"the entries of a batch are stored with it":           with(auditOfABatch),
		"changes without a caller are not audited":            with(auditOfTheSystem),
	}
}

func (f *Fixture) called(actor string) context.Context {
	return record.WithCaller(f.t.Context(), record.Caller{Actor: actor, KeyID: "k1", RequestID: "r1", Reason: "because"})
}

// auditLog returns every entry, oldest first, and checks the chain.
func (f *Fixture) auditLog() (entries []record.AuditEntry) {
	f.t.Helper()
	for page := (record.Page{Limit: 3}); ; {
		found, next, err := f.Audit(f.t.Context(), record.AuditFilter{}, page)
		require.NoError(f.t, err)
		for _, entry := range found {
			entries = append([]record.AuditEntry{entry}, entries...)
		}
		if page.After = next; next == "" {
			break
		}
	}
	chain, err := f.AuditChain(f.t.Context())
	require.NoError(f.t, err)
	assert.Zero(f.t, chain.Unsealed)
	previous, seq := chain.FirstHash, chain.FirstSeq
	for _, entry := range entries {
		seq++
		require.Equal(f.t, seq, entry.Seq)
		hash, err := entry.Seal(previous)
		require.NoError(f.t, err)
		require.Equal(f.t, hash, entry.Hash)
		previous = hash
	}
	assert.Equal(f.t, chain.Seq, seq)
	assert.Equal(f.t, chain.Hash, previous)
	return entries
}

func auditWithChange(f *Fixture) {
	t, ctx := f.t, f.called("ci")
	in := f.Start(saga.Start{})
	f.putAside(record.DeadLetter{ID: "letter", Source: record.SourceReply, Queue: "q", Reason: "malformed_reply", SagaID: in.ID})
	_, _, err := f.PutDefinition(ctx, Definition(t, "audited", orderBody))
	require.NoError(t, err)
	_, err = f.SetDisabled(ctx, "audited", true, "ci")
	require.NoError(t, err)
	_, err = f.SetDisabled(ctx, "audited", true, "ci")
	require.NoError(t, err)
	_, err = f.SetQueue(ctx, "payments", func(s *record.QueueSettings) error { s.MaxOut = 3; return nil })
	require.NoError(t, err)
	_, err = f.SetQueue(ctx, "payments", func(*record.QueueSettings) error { return nil })
	require.NoError(t, err)
	require.NoError(t, f.DeleteDeadLetter(ctx, "letter"))
	require.ErrorIs(t, f.DeleteDeadLetter(ctx, "letter"), record.ErrDeadLetterNotFound)
	key := newKey("new")
	require.NoError(t, f.CreateKey(ctx, key))
	_, err = f.RotateKey(ctx, key.ID, newKey("newer").Hash, 0)
	require.NoError(t, err)
	require.NoError(t, f.RevokeKey(ctx, key.ID))
	require.NoError(t, f.RevokeKey(ctx, key.ID))
	bulk, err := f.CreateBulk(ctx, record.BulkAction{
		ID: NewID(), Kind: record.BulkSagas, Action: "pause", Filter: []byte(`{"key":"x"}`), Parameters: []byte(`{}`), Actor: "ci",
	}, record.BulkTargets{IDs: []string{in.ID}})
	require.NoError(t, err)
	_, err = f.ControlBulk(ctx, bulk.ID, (*record.BulkAction).Cancel)
	require.NoError(t, err)

	want := []string{
		`definition.put definitions/audited null {"version":1}`,
		`definition.disable definitions/audited {"disabled":false} {"disabled":true}`,
		`queue.set queues/payments {"max_out":null,"paused":false,"rate":null} {"max_out":3,"paused":false,"rate":null}`,
		`dead_letter.discard dead-letters/letter {"queue":"q","reason":"malformed_reply","source":"reply"} null`,
		`key.create keys/` + key.ID + ` null {"name":"new","role":"operator"}`,
	}
	entries := f.auditLog()
	var got, actions []string
	for _, e := range entries {
		actions = append(actions, e.Action)
		assert.Equal(t, []string{"ci", "k1", "r1", "because"}, []string{e.Actor, e.KeyID, e.RequestID, e.Reason})
		assert.False(t, e.At.IsZero())
		null := func(text []byte) string {
			if text == nil {
				return "null"
			}
			return string(text)
		}
		got = append(got, fmt.Sprint(e.Action, " ", e.Target, " ", null(e.Before), " ", null(e.After)))
	}
	assert.Equal(t, want, got[:len(want)])
	assert.Equal(t, []string{"key.rotate", "key.revoke", "bulk.create", "bulk.cancel"}, actions[len(want):])
	assert.Equal(t, "order", entries[3].Definition, "of the dead letter's saga")
}

func auditBefore(f *Fixture) {
	t, ctx := f.t, f.called("ci")
	put := func(url, secret string) {
		given := record.Webhook{Name: "pager", URL: url, Events: []string{"saga.stuck"}, Secret: []byte(secret)}
		_, _, err := f.PutWebhook(ctx, given, []byte("generated"))
		require.NoError(t, err)
	}
	put("https://a.example/", "")
	put("https://a.example/", "") // which changes nothing
	put("https://b.example/", "")
	put("https://b.example/", "another")
	require.NoError(t, f.DeleteWebhook(ctx, "pager"))
	key := newKey("ended")
	require.NoError(t, f.CreateKey(ctx, key))
	require.NoError(t, f.RevokeKey(ctx, key.ID))

	a, b := `{"events":["saga.stuck"],"url":"https://a.example/"}`, `{"events":["saga.stuck"],"url":"https://b.example/"}`
	entries := f.auditLog()
	require.Len(t, entries, 6)
	for i, want := range [][2]string{
		{"", a}, {a, b}, {b, `{"events":["saga.stuck"],"secret":"replaced","url":"https://b.example/"}`}, {b, ""},
	} {
		assert.Equal(t, want, [2]string{string(entries[i].Before), string(entries[i].After)}, entries[i].Action)
	}
	assert.JSONEq(t, `{"name":"ended","role":"operator"}`, string(entries[5].Before))
	assert.Contains(t, string(entries[5].After), "revoked_at")
}

func auditChained(f *Fixture) {
	t := f.t
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 10 {
				ctx := f.called("writer-" + strconv.Itoa(w))
				if !assert.NoError(t, f.CreateKey(ctx, newKey(fmt.Sprint("key ", w, " ", i)))) {
					return
				}
				if i%3 == w%3 {
					_, err := f.SealAudit(ctx)
					assert.NoError(t, err)
				}
			}
		})
	}
	writers.Wait()
	assert.Len(t, f.auditLog(), 40)
}

func auditFiltered(f *Fixture) {
	t := f.t
	one, two := newKey("one"), newKey("two")
	require.NoError(t, f.CreateKey(f.called("ann"), one))
	require.NoError(t, f.CreateKey(f.called("bob"), two))
	require.NoError(t, f.RevokeKey(f.called("ann"), two.ID))
	_, _, err := f.PutDefinition(f.called("ann"), Definition(t, "audited", orderBody))
	require.NoError(t, err)
	entries := f.auditLog()
	ann, nobody, whole, bare, invalid := "ann", "nobody", "keys/"+two.ID, two.ID, "\x00"
	third := entries[2].At
	for i, c := range []struct {
		filter record.AuditFilter
		want   []int64
	}{
		{record.AuditFilter{}, []int64{4, 3, 2, 1}},
		{record.AuditFilter{Actor: &ann}, []int64{4, 3, 1}},
		{record.AuditFilter{Actor: &nobody}, nil},
		{record.AuditFilter{Actor: &invalid}, nil},
		{record.AuditFilter{Target: &whole}, []int64{3, 2}},
		{record.AuditFilter{Target: &bare, Actor: &ann}, []int64{3}},
		{record.AuditFilter{Since: &third}, []int64{4, 3}},
		{record.AuditFilter{Until: &third}, []int64{3, 2, 1}},
		{record.AuditFilter{Scope: record.Scope{"audited"}}, []int64{4}},
		{record.AuditFilter{Scope: record.Scope{"other"}}, nil},
	} {
		for _, limit := range []int{1, 2, 50} {
			var got []int64
			for page := (record.Page{Limit: limit}); ; {
				found, next, err := f.Audit(t.Context(), c.filter, page)
				require.NoError(t, err)
				for _, entry := range found {
					got = append(got, entry.Seq)
				}
				if page.After = next; next == "" {
					break
				}
			}
			assert.Equal(t, c.want, got, fmt.Sprint("case ", i, ", limit ", limit))
		}
	}
	_, _, err = f.Audit(t.Context(), record.AuditFilter{}, record.Page{After: "x", Limit: 1})
	require.ErrorIs(t, err, record.ErrPageNotFound)
}

func auditExpires(f *Fixture) {
	t := f.t
	for i := range 5 {
		require.NoError(t, f.CreateKey(f.called("ci"), newKey(fmt.Sprint("key ", i))))
	}
	require.Len(t, f.auditLog(), 5)
	for _, c := range []struct {
		age            time.Duration
		limit, deleted int
	}{{0, 10, 0}, {time.Hour, 10, 0}, {time.Microsecond, 2, 2}, {time.Microsecond, 10, 3}, {time.Microsecond, 10, 0}} {
		deleted, err := f.ExpireAudit(t.Context(), c.age, c.limit)
		require.NoError(t, err)
		assert.Equal(t, c.deleted, deleted)
		f.auditLog()
	}
	require.NoError(t, f.CreateKey(f.called("ci"), newKey("last")))
	log := f.auditLog()
	require.Len(t, log, 1)
	assert.EqualValues(t, 6, log[0].Seq, "numbers are not used again")
}

func auditOfTheSystem(f *Fixture) {
	f.Start(saga.Start{})
	require.NoError(f.t, f.CreateKey(f.t.Context(), newKey("ci")))
	assert.Empty(f.t, f.auditLog())
}

func auditOfABatch(f *Fixture) {
	t := f.t
	batch := []record.AuditEntry{
		{At: time.Now().UTC().Truncate(time.Microsecond), Actor: "ann", Action: "saga.start", Target: "sagas/1", After: []byte(`{"status":"running"}`)},
		{Actor: "bob", KeyID: "k", Action: "saga.pause", Target: "sagas/2", Reason: "<b> & é", Before: []byte(`{"revision":1}`)},
		{Actor: "cy", Action: "saga.start", Target: "sagas/3", Definition: "order", RequestID: "r"},
	}
	err := f.Transact(t.Context(), record.Batch{}, func(record.Loaded) (record.Changes, error) { return record.Changes{Audit: batch}, nil })
	require.NoError(t, err)
	failed := errors.New("decided otherwise")
	err = f.Transact(t.Context(), record.Batch{}, func(record.Loaded) (record.Changes, error) { return record.Changes{Audit: batch}, failed })
	require.ErrorIs(t, err, failed)
	got := f.auditLog()
	require.Len(t, got, len(batch))
	for i := range got {
		assert.False(t, got[i].At.IsZero())
		if batch[i].At.IsZero() {
			batch[i].At = got[i].At
		}
		batch[i].Seq, batch[i].Hash = got[i].Seq, got[i].Hash
		assert.Equal(t, batch[i], got[i])
	}
}
