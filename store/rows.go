package store

import (
	"strings"

	"github.com/jackc/pgx/v5"
)

// queueRows adds a statement about n rows to a batch, whose columns come as arrays. Many are unnested in the select list,
// side by side: in the from list Postgres would keep each array in a table of its own first, at four times the cost. A
// single row is taken out of its arrays by number: then there is nothing to join and no set for each column to prepare.
func queueRows(b *pgx.Batch, n int, statement string, arguments ...any) {
	if n == 1 {
		statement = ofOneRow(statement)
	}
	b.Queue(statement, arguments...)
}

func ofOneRow(statement string) string {
	var one strings.Builder
	one.Grow(len(statement))
	for {
		before, after, more := strings.Cut(statement, "unnest(")
		one.WriteString(before)
		if !more {
			return one.String()
		}
		var array string
		array, statement, _ = strings.Cut(after, ")")
		one.WriteString("(" + array + ")[1]")
	}
}
