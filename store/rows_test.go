package store

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASingleRowIsTakenOutOfItsArrays(t *testing.T) {
	t.Parallel()
	const statement = `insert into t (a, b) select unnest($1::text[]), unnest($12::text[])::json from now()`
	for n, want := range map[int]string{
		1: `insert into t (a, b) select ($1::text[])[1], ($12::text[])[1]::json from now()`,
		2: statement,
	} {
		b := &pgx.Batch{}
		queueRows(b, n, statement, "arguments")
		require.Len(t, b.QueuedQueries, 1)
		assert.Equal(t, want, b.QueuedQueries[0].SQL, "%d rows", n)
		assert.Equal(t, []any{"arguments"}, b.QueuedQueries[0].Arguments, "%d rows", n)
	}
}
