package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// manyHeld adds rows to the outbox that are held back, for queues a and b in turn, and few others of queue a.
const manyHeld = `insert into outbox (saga_id, command, queue, created_at, body, claimed_until, leased, attempts, reason, held_rank)
	select '01JD' || lpad(i::text, 22, '0'), 'a/execute/1', case when i % 2 = 0 then 'a' else 'b' end, now() + i * interval '1 microsecond',
		'{}', case when i % 1000 = 0 then now() - interval '1 minute' else 'infinity' end, false, 0, '',
		case when i % 1000 > 0 then 256 - i % 10 end
	from generate_series(1, $1) i`

// heldOutbox opens a store with that many commands that are held back, of as many sagas.
func heldOutbox(t *testing.T, rows int) *Store {
	t.Helper()
	s := filled(t, rows)
	for _, statement := range []string{
		`insert into queue_settings (queue, paused, max_out, rate, controlled_since, counted_at, tokens)
			values ('a', false, 1000, 100000, now() - interval '1 hour', now(), 1000)`,
		`insert into queue_places (queue, saga_id, command)
			select 'a', '01JD' || lpad(i::text, 22, '0'), 'a/execute/1' from generate_series(1, 500) i`,
	} {
		_, err := s.pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	err := pgx.BeginFunc(t.Context(), s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `set local statement_timeout = 0`); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), manyHeld, rows)
		return err
	})
	require.NoError(t, err)
	return s
}

// What is held back costs those nothing who look for something else, and a release reads what it takes.
func TestAReleaseReadsFewRowsOfManyThatAreHeldBack(t *testing.T) {
	t.Parallel()
	const rows, limit = 60_000, 100
	s := heldOutbox(t, rows)
	for _, statement := range []struct {
		name      string
		text      string
		arguments []any
		most      int
		held      bool // in the transaction of a release
	}{
		{"controls", queueControlsStatement, nil, 20, false},
		{"adopt", adoptStatement, []any{"a", limit}, 10 * limit, true},
		{"release", releaseStatement, []any{"a", limit, limit, 1 << 20, time.Second, true, [][]byte{}}, 12 * limit, true},
		{"count places", countPlacesStatement(), []any{"a"}, 5 * 500, true},
		{"claim", claimStatement, []any{limit, 1 << 20, []string{}, nil, time.Second, leastShare, [][]byte{}}, 12 * limit, false},
	} {
		tx, err := s.pool.Begin(t.Context())
		require.NoError(t, err)
		if statement.held {
			_, err := tx.Exec(t.Context(), heldPlans)
			require.NoError(t, err)
		}
		assert.LessOrEqual(t, rowsRead(t, tx, statement.text, statement.arguments...), statement.most, statement.name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
	backlog, err := s.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []int64{rows / 1000, min(rows-rows/1000, record.BacklogBound)}, []int64{backlog.OutboxPending, backlog.HeldBack})
}

// rowsRead executes a statement and returns the number of rows that it reads, including those that filters drop.
func rowsRead(t *testing.T, tx pgx.Tx, statement string, arguments ...any) int {
	t.Helper()
	var text []byte
	err := tx.QueryRow(t.Context(), "explain (analyze, timing off, format json) "+statement, arguments...).Scan(&text)
	require.NoError(t, err)
	var plan []struct {
		Plan planNode
		Time float64 `json:"Execution Time"`
	}
	require.NoError(t, json.Unmarshal(text, &plan))
	t.Logf("%d rows read in %.1f ms", plan[0].Plan.rows(), plan[0].Time)
	return plan[0].Plan.rows()
}
