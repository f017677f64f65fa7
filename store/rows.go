package store

import (
	"regexp"

	"github.com/jackc/pgx/v5"
)

// rowsStatement writes rows whose columns come as arrays. Many are unnested in the select list, side by side: in the from
// list Postgres would keep each array in a table of its own first, at four times the cost. A single row is taken out of
// its arrays by number: then nothing is joined, and most of what a statement costs before its first row is saved.
type rowsStatement struct {
	many, one string
}

var unnested = regexp.MustCompile(`unnest\((\$\d+::\w+\[\])\)`)

// forRows makes the statement of its form for many rows.
func forRows(many string) rowsStatement {
	return rowsStatement{many: many, one: unnested.ReplaceAllString(many, "($1)[1]")}
}

// queue adds the statement for n rows to a batch.
func (s rowsStatement) queue(b *pgx.Batch, n int, arguments ...any) {
	if n == 1 {
		b.Queue(s.one, arguments...)
		return
	}
	b.Queue(s.many, arguments...)
}
