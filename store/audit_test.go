package store

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	env "github.com/saga-orchestrator/orchestrator/internal/test/env"
)

// manyEntries stores sealed entries, one a second, every 10,000th by ann.
const manyEntries = `insert into audit (at, actor, key_id, action, target, definition, reason, request_id, seq, hash)
	select $2::timestamptz + n * interval '1 second', case when n % 10000 = 5 then 'ann' else 'service' end, '', 'saga.start', 'sagas/' || n, 'order', '', '',
		n, sha256(n::text::bytea) from generate_series(1, $1::integer) n`

// A page of a long log has what a filter selects, wherever it is: it does not end early, at the bound of a scan.
func TestEveryFilterOfTheAuditLogFindsItsEntriesAtOnce(t *testing.T) {
	t.Parallel()
	const entries = 3 * auditBound
	url := env.Database(t)
	require.NoError(t, Migrate(t.Context(), url))
	s, err := Open(t.Context(), Config{DatabaseURL: url})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err = conn.Exec(t.Context(), manyEntries, entries, start)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `update audit_chain set seq = $1`, entries)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `vacuum analyze audit`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	second := func(n int) *time.Time { return new(start.Add(time.Duration(n) * time.Second)) }
	for name, c := range map[string]struct {
		filter record.AuditFilter
		newest int64
		found  int
	}{
		"none":               {record.AuditFilter{}, entries, 50},
		"a rare actor":       {record.AuditFilter{Actor: new("ann")}, entries - 10_000 + 5, entries / 10_000},
		"an unknown actor":   {record.AuditFilter{Actor: new("eve")}, 0, 0},
		"an early time":      {record.AuditFilter{Until: second(40)}, 40, 40},
		"a time between":     {record.AuditFilter{Since: second(500), Until: second(510)}, 510, 11},
		"before the first":   {record.AuditFilter{Until: second(0)}, 0, 0},
		"a late time":        {record.AuditFilter{Since: second(entries - 3)}, entries, 4},
		"after the last":     {record.AuditFilter{Since: second(entries + 1)}, 0, 0},
		"a time and actor":   {record.AuditFilter{Actor: new("ann"), Until: second(10_010)}, 10_005, 2},
		"a target":           {record.AuditFilter{Target: new("7")}, 7, 1},
		"a target elsewhere": {record.AuditFilter{Target: new("7"), Since: second(1000)}, 0, 0},
	} {
		found, next, err := s.Audit(t.Context(), c.filter, record.Page{Limit: 50})
		require.NoError(t, err, name)
		require.Len(t, found, c.found, name)
		assert.Equal(t, c.found == 50, next != "", "%s: another page", name)
		if c.found > 0 {
			assert.Equal(t, c.newest, found[0].Seq, name)
		}
	}
}
