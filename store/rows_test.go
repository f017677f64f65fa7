package store

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASingleRowIsTakenOutOfItsArrays(t *testing.T) {
	t.Parallel()
	s := forRows(`insert into t (a, b) select unnest($1::text[]), unnest($12::text[])::json`)
	for n, want := range map[int]string{
		1: `insert into t (a, b) select ($1::text[])[1], ($12::text[])[1]::json`,
		2: `insert into t (a, b) select unnest($1::text[]), unnest($12::text[])::json`,
	} {
		b := &pgx.Batch{}
		s.queue(b, n, "arguments")
		require.Len(t, b.QueuedQueries, 1)
		assert.Equal(t, want, b.QueuedQueries[0].SQL, "%d rows", n)
		assert.Equal(t, []any{"arguments"}, b.QueuedQueries[0].Arguments, "%d rows", n)
	}
}

func TestNoHotStatementUnnestsASingleRow(t *testing.T) {
	t.Parallel()
	for _, s := range []rowsStatement{insertSagas, updateSagas, insertDecisions, insertOutbox, deleteConfirmed} {
		assert.Contains(t, s.many, "unnest(")
		assert.NotContains(t, s.one, "unnest(")
	}
}
