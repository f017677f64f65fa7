package store_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// marker is part of every payload of these tests.
const marker = "4111-2222-3333"

func key(id string, fill byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, seal.KeySize))
}

func sealedBy(t *testing.T, lines ...string) *seal.Keys {
	t.Helper()
	keys, err := seal.Parse([]byte(strings.Join(lines, "\n")))
	require.NoError(t, err)
	return keys
}

// openSealed opens the database as a server with these keys does.
func openSealed(t *testing.T, url string, keys *seal.Keys) *store.Store {
	t.Helper()
	s := open(t, store.Config{DatabaseURL: url, LeaseFor: storetest.LongLease, Keys: keys})
	require.NoError(t, s.UsePayloadKeys(t.Context()))
	return s
}

// payloads holds what a scenario has stored.
type payloads struct{ stuck, rewinding string }

// storePayloads stores a payload in every place that holds one.
func storePayloads(t *testing.T, s *store.Store) payloads {
	t.Helper()
	f := storetest.NewFixture(t, s)
	data := json.RawMessage(`{"card":"` + marker + `"}`)
	var p payloads
	p.stuck = f.Start(saga.Start{Data: data}).ID
	failed := saga.Reply{Command: storetest.Execute(p.stuck, "charge"), Error: &saga.ReplyError{Code: "declined", Message: "refused " + marker}}
	f.Apply(p.stuck, storetest.Succeed(p.stuck, "reserve", `{"token":"`+marker+`"}`), failed)
	p.rewinding = f.Start(saga.Start{Data: data}).ID
	rewind := storetest.Do(saga.ActionRewind)
	rewind.To, rewind.Patch = "reserve", json.RawMessage(`{"card":"`+marker+`"}`)
	f.Apply(p.rewinding, storetest.Succeed(p.rewinding, "reserve", `{"token":"`+marker+`"}`), rewind)

	caller := record.WithCaller(t.Context(), record.Caller{Actor: "ada"})
	patch, err := record.Audited(record.Caller{Actor: "ada"}, "saga.patch_data", "sagas/"+p.stuck, nil, map[string]string{"patch": marker})
	require.NoError(t, err)
	require.NoError(t, s.Transact(t.Context(), record.Batch{
		DeadLetters: []record.DeadLetter{{ID: "reply-1", Source: record.SourceReply, Queue: "q", Reason: "r", Body: []byte(marker)}},
	}, func(record.Loaded) (record.Changes, error) {
		return record.Changes{
			Audit: []record.AuditEntry{patch},
			Events: []record.Event{{Sink: record.SinkKafka, Event: wire.Event{
				Subject: p.stuck, Seq: 999, Type: "saga.stuck", At: time.Now(), Definition: "order", Data: json.RawMessage(`{"detail":"` + marker + `"}`),
			}}},
		}, nil
	}))
	parameters, err := json.Marshal(record.BulkParameters{Patch: json.RawMessage(`{"card":"` + marker + `"}`)})
	require.NoError(t, err)
	_, err = s.CreateBulk(caller, record.BulkAction{
		ID: "01J00000000000000000000BLK", Kind: record.BulkSagas, Action: "patch_data", Filter: json.RawMessage(`{}`), Parameters: parameters, Reason: "r",
	}, record.BulkTargets{IDs: []string{p.stuck}})
	require.NoError(t, err)
	_, _, err = s.PutWebhook(t.Context(), record.Webhook{Name: "hook", URL: "https://127.0.0.1/", Events: []string{"saga.stuck"}, Secret: []byte("secret")}, nil)
	require.NoError(t, err)
	require.NoError(t, s.AddDeliveries(t.Context(), []record.Delivery{{Webhook: "hook", EventID: "e-1", Type: "saga.stuck", Body: []byte(marker)}}))
	return p
}

// checkPayloads reads each place.
func checkPayloads(t *testing.T, s *store.Store, p payloads) {
	t.Helper()
	f := storetest.NewFixture(t, s)
	in := f.Get(p.stuck)
	assert.JSONEq(t, `{"card":"`+marker+`","token":"`+marker+`"}`, string(in.Data))
	assert.JSONEq(t, `{"token":"`+marker+`"}`, string(in.Steps[0].Output))
	assert.Equal(t, "refused "+marker, in.Steps[1].Error.Message)
	assert.Equal(t, "refused "+marker, in.Failure.Message)
	assert.JSONEq(t, `{"card":"`+marker+`"}`, string(f.Get(p.rewinding).Rewind.Patch))
	history, _, err := s.History(t.Context(), p.stuck, record.Page{Limit: 100})
	require.NoError(t, err)
	text, err := json.Marshal(history)
	require.NoError(t, err)
	assert.Contains(t, string(text), marker)
	letter, err := s.DeadLetter(t.Context(), "reply-1")
	require.NoError(t, err)
	assert.Equal(t, marker, string(letter.Body))
	assert.Equal(t, len(marker), letter.Size)
	bulk, err := s.Bulk(t.Context(), "01J00000000000000000000BLK")
	require.NoError(t, err)
	assert.Contains(t, string(bulk.Parameters), marker)
	entries, _, err := s.Audit(t.Context(), record.AuditFilter{}, record.Page{Limit: 100})
	require.NoError(t, err)
	require.Len(t, entries, 2)
	for i := range entries {
		hash, err := entries[i].Seal(previous(entries, i))
		require.NoError(t, err)
		assert.Equal(t, entries[i].Hash, hash, "the chain covers what callers see")
	}
	events, err := s.NextEvents(t.Context(), record.SinkKafka, 100)
	require.NoError(t, err)
	require.NotEmpty(t, events)
	assert.Contains(t, string(events[len(events)-1].Data), marker)
}

// previous returns the hash before an entry of a list that is newest first.
func previous(entries []record.AuditEntry, i int) []byte {
	if i == len(entries)-1 {
		return make([]byte, record.AuditHashSize)
	}
	return entries[i+1].Hash
}

// dump returns everything that the database holds, as text.
func dump(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), `select table_name::text from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(tables), 15)
	var all strings.Builder
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), `select t::text from `+pgx.Identifier{table}.Sanitize()+` t`)
		require.NoError(t, err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		all.WriteString(table + ": " + strings.Join(texts, "\n") + "\n")
	}
	return all.String()
}

func assertSealed(t *testing.T, url string) {
	t.Helper()
	text := dump(t, url)
	for _, form := range []string{marker, hex.EncodeToString([]byte(marker)), base64.StdEncoding.EncodeToString([]byte(marker))} {
		for line := range strings.SplitSeq(text, "\n") {
			assert.NotContains(t, line, form)
		}
	}
}

func TestNoTableHoldsAPayloadInClear(t *testing.T) {
	t.Parallel()
	plain := migrated(t)
	storePayloads(t, open(t, store.Config{DatabaseURL: plain}))
	require.GreaterOrEqual(t, strings.Count(dump(t, plain), marker)+strings.Count(dump(t, plain), hex.EncodeToString([]byte(marker))), 12,
		"the scenario stores payloads in many places")

	url := migrated(t)
	s := openSealed(t, url, sealedBy(t, key("k1", 1)))
	p := storePayloads(t, s)
	assertSealed(t, url)
	checkPayloads(t, s, p)
	checkPayloads(t, openSealed(t, url, sealedBy(t, key("k2", 2), key("k1", 1))), p) // another process, which has the key
	commands, err := s.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 100})
	require.NoError(t, err)
	assert.Empty(t, commands, "they are under lease")
}

func TestACommandOfADeadReplicaIsOpened(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	keys := sealedBy(t, key("k1", 1))
	storePayloads(t, open(t, store.Config{DatabaseURL: url, LeaseFor: time.Millisecond, Keys: keys}))
	other := open(t, store.Config{DatabaseURL: url, LeaseFor: storetest.LongLease, Keys: keys})
	require.Eventually(t, func() bool {
		commands, err := other.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 100})
		require.NoError(t, err)
		return len(commands) > 0 && strings.Contains(string(commands[0].Body), marker)
	}, time.Minute, 10*time.Millisecond)
}

func TestWithoutItsKeyAStoreIsRefused(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	p := storePayloads(t, openSealed(t, url, sealedBy(t, key("k1", 1))))
	for name, keys := range map[string]*seal.Keys{
		"no keys": nil, "another key": sealedBy(t, key("k2", 2)), "another key of that id": sealedBy(t, key("k1", 9)),
	} {
		s := open(t, store.Config{DatabaseURL: url, Keys: keys})
		err := s.UsePayloadKeys(t.Context())
		require.ErrorIs(t, err, record.ErrPayloadKeys, name)
		require.ErrorContains(t, err, "k1", name)
		found, err := s.Saga(t.Context(), p.stuck)
		require.NoError(t, err)
		require.ErrorIs(t, found.Unreadable, record.ErrUnreadable, name)
		require.ErrorIs(t, found.Unreadable, seal.ErrSealed, name)
		_, err = s.DeadLetter(t.Context(), "reply-1")
		require.ErrorIs(t, err, record.ErrUnreadable, name)
		status, err := s.PayloadStatus(t.Context())
		require.NoError(t, err)
		assert.Len(t, status.Missing, 1, name)
	}
	require.NoError(t, open(t, store.Config{DatabaseURL: url, Keys: sealedBy(t, key("k1", 1))}).UsePayloadKeys(t.Context()),
		"a refused store has registered nothing")
}

// A row that no replica has written is not a key: it keeps none from its work, nor from getting rid of older keys.
func TestAForeignRowAmongThePayloadKeysStopsNoReplica(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	plain, keys := open(t, store.Config{DatabaseURL: url}), sealedBy(t, key("k1", 1))
	d := damage{t, connect(t, url)}
	d.exec(`insert into payload_keys (id, verifier, used_at) values ('x', '', 'infinity'), ('', '\x00', '-infinity'), ('k1', '\x00736c31', now()),
		('k 2', decode(repeat('00', 1000), 'hex'), 'infinity')`)
	require.NoError(t, plain.UsePayloadKeys(t.Context()))
	storePayloads(t, openSealed(t, url, keys))
	require.ErrorContains(t, plain.UsePayloadKeys(t.Context()), "does not have: k1", "its verifier was damaged, and is there again")
	rewritten(t, url, keys)
	require.ErrorContains(t, plain.UsePayloadKeys(t.Context()), "does not have: k1")
}

// rewritten seals everything anew by the keys, as if the replicas with other keys were gone for long.
func rewritten(t *testing.T, url string, keys *seal.Keys) *store.Store {
	t.Helper()
	s := openSealed(t, url, keys)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), `update payload_keys set used_at = now() - interval '1 hour' where id <> $1`, keys.Current())
	require.NoError(t, err)
	for more := true; more; {
		more, err = s.RewritePayloads(t.Context())
		require.NoError(t, err)
	}
	status, err := s.PayloadStatus(t.Context())
	require.NoError(t, err)
	assert.True(t, status.Done, "%+v", status)
	assert.Empty(t, status.Others)
	assert.Zero(t, status.Remaining)
	return s
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	p := storePayloads(t, openSealed(t, url, nil)) // stored before there were keys
	checkPayloads(t, rewritten(t, url, sealedBy(t, key("k1", 1))), p)
	assertSealed(t, url)

	second := openSealed(t, url, sealedBy(t, key("k2", 2), key("k1", 1)))
	more, err := second.RewritePayloads(t.Context())
	require.NoError(t, err)
	assert.False(t, more, "a replica may seal with the first key still")
	status, err := second.PayloadStatus(t.Context())
	require.NoError(t, err)
	assert.True(t, status.Waiting)
	assert.Positive(t, status.Remaining)
	assert.Equal(t, []string{"k1"}, status.Others)

	rewritten(t, url, sealedBy(t, key("k2", 2), key("k1", 1)))
	checkPayloads(t, openSealed(t, url, sealedBy(t, key("k2", 2))), p) // the first key is not needed any more
	assert.NotContains(t, dump(t, url), "sealed:1:k1")
	assert.NotContains(t, dump(t, url), hex.EncodeToString([]byte("sl1k1")))

	rewritten(t, url, sealedBy(t, "none", key("k2", 2)))
	checkPayloads(t, openSealed(t, url, nil), p) // nor any
	assert.NotContains(t, dump(t, url), "sealed:1:")
}

// A saga that moves on during a rewrite is neither lost nor overwritten.
func TestASagaInTheCacheIsReadAgainAfterARewrite(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	f := storetest.NewFixture(t, openSealed(t, url, nil))
	id := f.Start(saga.Start{Data: json.RawMessage(`{"card":"` + marker + `"}`)}).ID
	rewritten(t, url, sealedBy(t, key("k1", 1)))
	keyless := f // its cache has the saga as it was
	err := keyless.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(loaded record.Loaded) (record.Changes, error) {
		if fault := loaded.Unreadable[id].Unreadable; fault != nil {
			return record.Changes{}, fault
		}
		return f.Decide(loaded, id, storetest.Succeed(id, "reserve", `{}`))
	})
	require.ErrorIs(t, err, seal.ErrSealed, "it does not write over what it cannot read")
	g := storetest.NewFixture(t, openSealed(t, url, sealedBy(t, key("k1", 1))))
	assert.Equal(t, saga.StepSucceeded, g.Apply(id, storetest.Succeed(id, "reserve", `{}`)).Steps[0].Status)
}
