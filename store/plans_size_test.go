package store

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
)

var planSagas = flag.Int("plans.sagas", 60_000, "rows of the largest table for which plans are checked; `make plans` takes a million")

// call is a read of a store. Most bounds the pages of 8 KiB that it reads.
type call struct {
	name string
	most int
	read func() error
}

// Calls that look at all sagas count them: see countEnded. All others find what they need by an index, and read about as
// much however large the tables are.
func TestEveryReadOfLargeTablesUsesAnIndex(t *testing.T) {
	t.Parallel()
	s, recorded := large(t, *planSagas)
	const page = 10_000 // three probes of probeBound rows, each perhaps in a page of its own
	attention, letters := *planSagas/1000, *planSagas/10
	var calls []call
	add := func(name string, most int, read func() error) { calls = append(calls, call{name, most, read}) }
	for name, filter := range listFilters() {
		add("list "+name, page, func() error {
			_, _, err := s.Sagas(t.Context(), filter, record.Page{Limit: 50})
			return err
		})
	}
	for name, filter := range bulkFilters() {
		add("bulk action on "+name, 40*attention+page, func() error { return bulkOn(t, s, record.BulkSagas, record.BulkTargets{Sagas: &filter}) })
	}
	for name, filter := range letterFilters() {
		add("dead letters "+name, letters, func() error {
			_, _, err := s.DeadLetters(t.Context(), filter, record.Page{Limit: 50})
			return err
		})
		add("bulk action on dead letters "+name, 12*letters+1000, func() error {
			return bulkOn(t, s, record.BulkDeadLetters, record.BulkTargets{DeadLetters: &filter})
		})
	}
	add("groups", 10*attention+100, func() error { _, err := s.Groups(t.Context(), nil, ""); return err })
	add("attention", 10*attention+100, func() error { _, err := s.Attention(t.Context()); return err })
	add("groups of a definition", 10*attention+100, func() error { _, err := s.Groups(t.Context(), nil, "common"); return err })
	add("unfinished", 10*4*attention+100, func() error { _, err := s.Unfinished(t.Context()); return err })
	add("queues", 10*4*attention+1000, func() error { _, err := s.QueueLoads(t.Context()); return err })
	add("backlog", page, func() error { _, err := s.Backlog(t.Context()); return err })
	add("due", page, func() error { _, err := s.Due(t.Context(), 0, record.DueSaga{}, 1000); return err })
	add("history", 100, func() error { _, _, err := s.History(t.Context(), numbered(7), record.Page{Limit: 100}); return err })
	add("dead letters of a command", 100, func() error {
		_, err := s.CommandLetters(t.Context(), numbered(7), []saga.CommandID{{Saga: numbered(7), Step: "a", Direction: saga.Execute, Round: 1, Attempt: 1}})
		return err
	})
	addRetention(t, s, add)
	for _, c := range calls {
		recorded.take()
		require.NoError(t, c.read(), c.name)
		found := plansOf(t, s, recorded.take())
		assert.NotEmpty(t, found.text, "%s reads something", c.name)
		assert.Empty(t, found.scanned, "%s\n%s", c.name, found.text)
		assert.LessOrEqual(t, found.blocks, c.most, "%s\n%s", c.name, found.text)
		t.Logf("%6d pages: %s", found.blocks, c.name)
	}
}

func addRetention(t *testing.T, s *Store, add func(string, int, func() error)) {
	t.Helper()
	rule := record.RetentionRule{Definition: "common", Statuses: []saga.Status{saga.Completed}, Count: 1000}
	expiry := record.Expiry{Definition: "common", Statuses: rule.Statuses, Before: time.Now().Add(365 * 24 * time.Hour)}
	ids := make([]string, record.MaxDeleted)
	for i := range ids {
		ids[i] = numbered(10*i + 9)
	}
	add("what is beyond a count", 2000, func() error { _, err := s.Expiry(t.Context(), rule); return err })
	add("what is old", 10_000, func() error {
		_, _, err := s.Expired(t.Context(), expiry, saga.Completed, "", record.MaxDeleted)
		return err
	})
	add("the archive", 10_000, func() error { _, err := s.WithHistory(t.Context(), ids); return err })
	add("old keys", 10_000, func() error { _, err := s.ExpireKeys(t.Context(), time.Minute, 100); return err })
	add("old dead letters", 10_000, func() error {
		_, err := s.ExpireDeadLetters(t.Context(), time.Hour, *planSagas/20, 500)
		return err
	})
}

// numbered returns the id of a saga of manySagas.
func numbered(i int) string { return fmt.Sprintf("01JD%022d", i) }

func bulkFilters() map[string]record.Filter {
	return map[string]record.Filter{
		"a group": {
			Definition: new("common"), AttentionReasons: []saga.AttentionReason{saga.RetriesExhausted}, Step: new("a"), ErrorCode: new(""),
		},
		"what is stuck":           {Statuses: []saga.Status{saga.Stuck}},
		"what needs attention":    {NeedsAttention: true},
		"a definition":            {Definition: new("rare")},
		"a key":                   {Key: new("key-10")},
		"what a definition pause": {Definition: new("common"), Statuses: []saga.Status{saga.Paused}},
	}
}

func letterFilters() map[string]record.DeadLetterFilter {
	day := time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)
	return map[string]record.DeadLetterFilter{
		"all":      {},
		"queue":    {Queue: new("common")},
		"source":   {Source: new("reply")},
		"a minute": {ReceivedAfter: &day, ReceivedBefore: new(day.Add(time.Minute))},
	}
}

// bulkOn creates a bulk action, and forgets it.
func bulkOn(t *testing.T, s *Store, kind record.BulkKind, targets record.BulkTargets) error {
	t.Helper()
	action := record.BulkAction{
		ID: "b-1", Kind: kind, Action: "retry", Filter: []byte(`{}`), Parameters: []byte(`{}`), Reason: "a test", Actor: "ada",
	}
	if _, err := s.CreateBulk(t.Context(), action, targets); err != nil {
		return err
	}
	for _, statement := range []string{`delete from bulk_items b where bulk_id = 'b-1'`, `delete from bulk_actions where id = 'b-1'`} {
		if _, err := s.reads.Exec(t.Context(), statement); err != nil {
			return err
		}
	}
	return nil
}

// large opens a store with that many sagas, each with history and a key, and fewer dead letters and commands.
func large(t *testing.T, sagas int) (*Store, *recorder) {
	t.Helper()
	url := env.Database(t)
	require.NoError(t, Migrate(t.Context(), url))
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	const letters = `insert into dead_letters (id, source, queue, reason, message, saga_id, command_id, body, content_type, received_at)
		select '01JD' || lpad(i::text, 22, '0'), 'reply', 'common', 'r', 'm', '', '', '{}', '', timestamptz '2026-01-01' + i * interval '1 second'
		from generate_series(1, $1 / 10) i`
	const commands = `insert into outbox (saga_id, command, queue, created_at, body, claimed_until, leased, attempts, reason)
		select '01JD' || lpad(i::text, 22, '0'), 'a/execute/1', 'a', now(), '{}', now(), false, 0, '' from generate_series(1, $1 / 100) i`
	const history = `insert into saga_decisions (seq, at, saga_id, actor, entries)
		select 1, now(), '01JD' || lpad(i::text, 22, '0'), '', '[["started"]]' from generate_series(1, $1) i`
	const keys = `insert into idempotency_keys (key, saga_id, body_hash, created_at, ended_at) select i::text, '01JD' || lpad(i::text, 22, '0'),
		'', now(), case when i % 100 = 0 then now() - interval '1 hour' end from generate_series(1, $1) i`
	for _, statement := range []string{manySagas, letters, commands, history, keys} {
		_, err = conn.Exec(t.Context(), statement, sagas)
		require.NoError(t, err)
	}
	_, err = conn.Exec(t.Context(), `vacuum analyze`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	r := &recorder{}
	s, err := Open(t.Context(), Config{DatabaseURL: url, Tracer: r})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s, r
}
