package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// Whole sagas run on new tables, without statistics, and on tables that were empty when they were last vacuumed. Postgres's counters
// then show how the rows were reached.
func TestTheHotPathScansNoTable(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 5} { // a single row has statements of its own
		for name, statistics := range map[string]string{"new tables": "", "tables that were empty": "vacuum analyze "} {
			t.Run(fmt.Sprintf("batches of %d, %s", size, name), func(t *testing.T) {
				t.Parallel()
				hotPath(t, size, statistics)
			})
		}
	}
}

func hotPath(t *testing.T, size int, statistics string) {
	t.Helper()
	url := migrated(t)
	hotTables(t, url, statistics)
	before := tableScans(t, url)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, LeaseFor: time.Nanosecond, MaxConnections: 1})
	require.NoError(t, err)
	w := storetest.NewFixture(t, s)
	const batches, backlog = 40, 1000
	for batch := range batches {
		if batch == batches/4 { // the plans of an empty table are kept
			startMany(t, w, backlog, true)
		}
		ids := startMany(t, w, size, true)
		for _, step := range []string{"reserve", "charge", "confirm"} {
			succeedMany(t, w, ids, step)
		}
		_, err := s.Due(t.Context(), 0, record.DueSaga{}, 10)
		require.NoError(t, err)
		_, err = s.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 10})
		require.NoError(t, err)
		w.Get(ids[0])
		_, err = s.OutboxRows(t.Context(), ids[0])
		require.NoError(t, err)
		_, _, err = s.History(t.Context(), ids[0], record.Page{})
		require.NoError(t, err)
	}
	require.NoError(t, s.Close()) // which makes the server processes report their counters

	var after map[string]scans
	require.Eventually(t, func() bool {
		after = tableScans(t, url)
		return after["sagas"].Keyed-before["sagas"].Keyed >= batches*4
	}, 10*time.Second, 10*time.Millisecond)
	for table, scan := range after {
		if table == "saga_decisions" && statistics != "" {
			continue // its history is read by plans that are made for each call, and a small table is scanned
		}
		assert.Equal(t, before[table].Whole, scan.Whole, "%s was scanned", table)
		read := float64(scan.Rows) / float64(max(scan.Keyed, 1))
		assert.Less(t, read, 5.0, "%s: rows read per index scan", table)
	}
	assert.Equal(t, int64(batches*size+backlog), after["sagas"].Inserted)
	updates := after["sagas"].Updated
	// Two of a saga's three updates come between its start and its end. Some do not fit into their page while an older
	// transaction still needs the old versions.
	assert.Greater(t, after["sagas"].HOT, updates/3, "updates between start and end change no index")
}

// hotTables keeps autovacuum from the tables of the hot path, and executes a command on each, unless it is empty.
func hotTables(t *testing.T, url, command string) {
	t.Helper()
	conn := connect(t, url)
	for _, table := range []string{"sagas", "saga_decisions", "outbox", "idempotency_keys", "business_keys", "dead_letters", "events", "children"} {
		_, err := conn.Exec(t.Context(), `alter table `+table+` set (autovacuum_enabled = off)`)
		require.NoError(t, err)
		if command != "" {
			_, err = conn.Exec(t.Context(), command+table)
			require.NoError(t, err)
		}
	}
}

// scans counts how a table's rows were reached and updated. Rows are live rows; deleted rows are read too while an
// older transaction of any database of the cluster keeps them.
type scans struct{ Whole, Keyed, Rows, Inserted, Updated, HOT int64 }

func tableScans(t *testing.T, url string) map[string]scans {
	t.Helper()
	rows, err := connect(t, url).Query(t.Context(), `select t.relname::text, t.seq_scan, coalesce(t.idx_scan, 0),
		coalesce(t.idx_tup_fetch, 0), t.n_tup_ins, t.n_tup_upd, t.n_tup_hot_upd
		from pg_stat_user_tables t where t.relname in
		('sagas', 'saga_decisions', 'outbox', 'idempotency_keys', 'business_keys', 'dead_letters', 'events', 'children')`)
	require.NoError(t, err)
	found := make(map[string]scans)
	var name string
	var s scans
	_, err = pgx.ForEachRow(rows, []any{&name, &s.Whole, &s.Keyed, &s.Rows, &s.Inserted, &s.Updated, &s.HOT}, func() error {
		found[name] = s
		return nil
	})
	require.NoError(t, err)
	return found
}

// startMany starts sagas in one batch.
func startMany(t testing.TB, w *storetest.Fixture, n int, keyed bool) []string {
	t.Helper()
	var batch record.Batch
	ids := make([]string, n)
	for i := range ids {
		ids[i] = storetest.NewID()
		claim := w.Claim(ids[i], "", "")
		if keyed {
			claim = w.Claim(ids[i], "i-"+ids[i], "b-"+ids[i])
		}
		batch.Starts = append(batch.Starts, claim)
	}
	data := []byte(`{"orderId":"42","amount":120,"customer":"ada","items":[{"sku":"a-1","count":2}]}`)
	err := w.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
		var all record.Changes
		for _, claim := range batch.Starts {
			changes, err := w.Begin(l, saga.Start{ID: claim.SagaID, Key: claim.Key, Data: data})
			if err != nil {
				return all, err
			}
			all.Created = append(all.Created, changes.Created...)
			all.Entries = append(all.Entries, changes.Entries...)
			all.Commands = append(all.Commands, changes.Commands...)
		}
		return all, nil
	})
	require.NoError(t, err)
	return ids
}

// succeedMany applies the success of one step of each saga in one batch, with the confirm of its command.
func succeedMany(t testing.TB, w *storetest.Fixture, ids []string, step string) {
	t.Helper()
	batch := record.Batch{SagaIDs: ids}
	for _, id := range ids {
		batch.Confirmed = append(batch.Confirmed, storetest.Execute(id, step))
	}
	err := w.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
		var all record.Changes
		for _, id := range ids {
			changes, err := w.Decide(l, id, storetest.Succeed(id, step, `{"`+step+`Id":"r-7"}`))
			if err != nil {
				return all, err
			}
			all.Updated = append(all.Updated, changes.Updated...)
			all.Entries = append(all.Entries, changes.Entries...)
			all.Commands = append(all.Commands, changes.Commands...)
		}
		return all, nil
	})
	require.NoError(t, err)
}
