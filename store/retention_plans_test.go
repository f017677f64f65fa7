package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// readBy returns the number of rows that a statement reads, in a transaction that is rolled back.
func readBy(t *testing.T, s *Store, survey bool, statement string, arguments ...any) (rows int) {
	t.Helper()
	read := func(tx pgx.Tx) error {
		var plan []struct{ Plan planNode }
		var text []byte
		if err := tx.QueryRow(t.Context(), "explain (analyze, timing off, format json) "+statement, arguments...).Scan(&text); err != nil {
			return err
		}
		err := json.Unmarshal(text, &plan)
		rows = plan[0].Plan.rows()
		return err
	}
	if survey {
		require.NoError(t, s.survey(t.Context(), read))
		return rows
	}
	tx, err := s.pool.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, read(tx))
	require.NoError(t, tx.Rollback(t.Context()))
	return rows
}

func TestRetentionReadsFewRowsOfALargeTable(t *testing.T) {
	t.Parallel()
	const sagas = 60_000
	s := filled(t, sagas)
	_, err := s.pool.Exec(t.Context(), `insert into saga_decisions (seq, at, saga_id, actor, entries)
		select n, now(), s.id, '', '[["started"]]' from sagas s, generate_series(1, 3) n`)
	require.NoError(t, err)
	_, err = s.pool.Exec(t.Context(), `insert into idempotency_keys (key, saga_id, body_hash, created_at, ended_at)
		select id, id, '', now(), case when id < '01JD' || lpad('1000', 22, '0') then now() - interval '1 hour' end from sagas`)
	require.NoError(t, err)

	undone := []saga.Status{saga.Compensated, saga.Abandoned}
	assert.LessOrEqual(t, readBy(t, s, true, beyondStatement(undone), "common", 20), 200, "the newest, not the table")
	last := record.Expiry{Before: time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)}.Last()
	assert.LessOrEqual(t, readBy(t, s, true, expiredStatement, "common", saga.Completed, "", last, expiryPage), 2*expiryPage)
	assert.Zero(t, readBy(t, s, true, expiredStatement, "common", saga.Completed, "", "01A", expiryPage), "nothing is old: nothing is read")

	expiry := record.Expiry{Definition: "common", Statuses: []saga.Status{saga.Completed}, Before: time.Now().Add(24 * 365 * time.Hour)}
	ids, _, err := s.Expired(t.Context(), expiry, saga.Completed, "", record.MaxDeleted)
	require.NoError(t, err)
	require.Len(t, ids, record.MaxDeleted)
	const few = 12 * record.MaxDeleted // a saga, three rows of history, a key
	assert.LessOrEqual(t, readBy(t, s, false, doomedStatement, ids, "common", statusTexts(expiry.Statuses), expiry.Before, "", nil), few)
	assert.LessOrEqual(t, readBy(t, s, false, deleteStatement, ids, time.Hour), few)
	assert.LessOrEqual(t, readBy(t, s, false, expireKeysStatement, time.Minute, 100), 500)

	begun := time.Now()
	deleted, _, err := s.DeleteSagas(t.Context(), record.Deletion{Expiry: expiry, IDs: ids, KeepKeys: time.Hour})
	require.NoError(t, err)
	assert.Equal(t, record.MaxDeleted, deleted)
	t.Logf("%d sagas were deleted in %s", deleted, time.Since(begun))
}
