package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// readRows reads rows column by column, so that a value that cannot be read concerns its row alone: pgx itself ends the
// whole read over it. columns returns where the columns of one row go; take gets each row, with the first fault in it.
// What could not be read of a row keeps its zero value.
func readRows[Row any](rows pgx.Rows, columns func(*Row) []any, take func(row *Row, fault error)) error {
	defer rows.Close()
	var plans []pgtype.ScanPlan
	for rows.Next() {
		row := new(Row)
		into := columns(row)
		if plans == nil {
			if len(into) != len(rows.FieldDescriptions()) {
				return fmt.Errorf("read %d columns into %d", len(rows.FieldDescriptions()), len(into))
			}
			plans = scanPlans(rows, into)
		}
		take(row, scanColumns(rows, plans, into))
	}
	return rows.Err()
}

func scanPlans(rows pgx.Rows, into []any) []pgtype.ScanPlan {
	types := pgtype.NewMap()
	if conn := rows.Conn(); conn != nil {
		types = conn.TypeMap()
	}
	plans := make([]pgtype.ScanPlan, len(into))
	for i, field := range rows.FieldDescriptions() {
		plans[i] = types.PlanScan(field.DataTypeOID, field.Format, into[i])
	}
	return plans
}

// scanColumns reads every column that can be read. Its error names the first one that cannot.
func scanColumns(rows pgx.Rows, plans []pgtype.ScanPlan, into []any) (fault error) {
	for i, value := range rows.RawValues() {
		if err := plans[i].Scan(value, into[i]); err != nil && fault == nil {
			fault = fmt.Errorf("column %s: %w", rows.FieldDescriptions()[i].Name, err)
		}
	}
	return fault
}

// unreadable marks what is wrong with one stored row.
func unreadable(what string, fault error) error {
	return fmt.Errorf("%s: %w: %w", what, record.ErrUnreadable, fault)
}

var errOutOfRange = errors.New("a time out of range")

// shown reports whether a time can be shown and calculated with: Postgres has others, infinity among them.
func shown(t time.Time) bool { return t.IsZero() || t.Year() >= 1 && t.Year() <= 9999 }

// shownTime is the time in UTC; zero for null and for what cannot be shown.
func shownTime(t pgtype.Timestamptz) time.Time {
	if !t.Valid || t.InfinityModifier != pgtype.Finite || !shown(t.Time.UTC()) {
		return time.Time{}
	}
	return t.Time.UTC()
}
