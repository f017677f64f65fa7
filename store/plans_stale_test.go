package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// The table of events is empty most of the time, and Postgres then plans for an empty table. When the broker was away, it is not.
func TestABacklogOfEventsIsForgottenByKeys(t *testing.T) {
	t.Parallel()
	const backlog, page = 6000, 1000
	url := migrated(t)
	hotTables(t, url, "vacuum analyze ")
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, MaxConnections: 1})
	require.NoError(t, err)
	_, err = connect(t, url).Exec(t.Context(), `insert into events (sink, at, subject, seq, type, definition, data)
		select 'amqp', now(), 's' || n, n, 'saga.started', 'order', '{}' from generate_series(1, $1) n`, backlog)
	require.NoError(t, err)
	taken := 0
	for taken < backlog {
		found, err := s.NextEvents(t.Context(), record.SinkAMQP, page)
		require.NoError(t, err)
		require.Len(t, found, page)
		require.NoError(t, s.ForgetEvents(t.Context(), record.SinkAMQP, found))
		taken += len(found)
	}
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return tableScans(t, url)["events"].Rows >= backlog }, 10*time.Second, 10*time.Millisecond)
	assert.LessOrEqual(t, tableScans(t, url)["events"].Rows, int64(2*backlog), "rows read by index: each page reads its own")
}

// Retention plans its first deletion on an installation that is empty.
func TestRetentionDeletesByKeysWhateverTheStatistics(t *testing.T) {
	t.Parallel()
	const finished, families, chunk = 4000, 1000, 100
	url := migrated(t)
	hotTables(t, url, "vacuum analyze ")
	for _, table := range []string{"sagas", "saga_decisions", "idempotency_keys", "children"} { // an autovacuum would change the counters
		_, err := connect(t, url).Exec(t.Context(), `alter table `+table+` set (autovacuum_enabled = off)`)
		require.NoError(t, err)
	}
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, MaxConnections: 1})
	require.NoError(t, err)
	deletion := record.Deletion{
		Expiry: record.Expiry{Definition: "order", Statuses: []saga.Status{saga.Compensated}, Before: time.Now().Add(time.Hour)},
		IDs:    []string{storetest.NewID()}, KeepKeys: time.Hour,
	}
	_, _, err = s.DeleteSagas(t.Context(), deletion)
	require.NoError(t, err)

	ids := texts(t, url, `with new as (
			insert into sagas (id, definition, version, key, priority, labels, trace_parent, step_names, created_at, data, status, finished_at, revision, updated_at, progress, idempotency_key)
			select '01JD' || lpad(n::text, 22, '0'), 'order', 1, '', 0, '{}', '', '{}', now(), '{}', 'compensated', now(), 1, now(), '{}', 'k' || n
			from generate_series(1, $1) n returning id, idempotency_key
		), history as (
			insert into saga_decisions (saga_id, seq, at, actor, entries) select id, n, now(), '', '[["started"]]' from new, generate_series(1, 3) n
		), keys as (
			insert into idempotency_keys (key, saga_id, body_hash, created_at) select idempotency_key, id, '', now() from new
		) select id from new order by id`, finished)
	_, err = connect(t, url).Exec(t.Context(), `insert into children (saga_id, parent, step, level)
		select '01JD' || lpad((n * 2)::text, 22, '0'), '01JD' || lpad((n * 2 + 1)::text, 22, '0'), 'child', 2 from generate_series(1, $1) n`, families)
	require.NoError(t, err)
	before := tableScans(t, url)
	deleted := 0
	for len(ids) > 0 {
		deletion.IDs = ids[:chunk]
		sagas, _, err := s.DeleteSagas(t.Context(), deletion)
		require.NoError(t, err)
		deleted += sagas
		ids = ids[chunk:]
	}
	require.Equal(t, finished-families, deleted, "a child stays as long as its parent")
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return tableScans(t, url)["sagas"].Keyed > before["sagas"].Keyed }, 10*time.Second, 10*time.Millisecond)
	for table, scan := range tableScans(t, url) {
		assert.Equal(t, before[table].Whole, scan.Whole, "%s was scanned", table)
		assert.Less(t, float64(scan.Rows-before[table].Rows)/finished, 12.0, "%s: rows read for each saga", table)
	}
}
