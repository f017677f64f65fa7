package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// readRows scans rows column by column, so that an unreadable value affects only its row; pgx itself would end the
// whole read. columns returns the destinations of one row. take gets each row with its first fault. Unreadable columns
// keep their zero value.
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

// scanColumns scans every readable column. Its error names the first unreadable one.
func scanColumns(rows pgx.Rows, plans []pgtype.ScanPlan, into []any) (fault error) {
	for i, value := range rows.RawValues() {
		if err := plans[i].Scan(value, into[i]); err != nil && fault == nil {
			fault = fmt.Errorf("column %s: %w", rows.FieldDescriptions()[i].Name, err)
		}
	}
	return fault
}

// unreadable marks the fault of a stored row.
func unreadable(what string, fault error) error {
	return fmt.Errorf("%s: %w: %w", what, record.ErrUnreadable, fault)
}

var errOutOfRange = errors.New("a time out of range")

// shown reports whether a time can be shown and calculated with. Postgres has others, such as infinity.
func shown(t time.Time) bool { return t.IsZero() || t.Year() >= 1 && t.Year() <= 9999 }

// usable is an SQL condition after a column: its time can be shown, as shown has it. Aggregates need it: the least time of many may
// be one of the others.
const usable = ` between '0001-01-02' and '9999-12-30'`

// shownTime returns the time in UTC, and the zero time for null and for times that cannot be shown.
func shownTime(t pgtype.Timestamptz) time.Time {
	if !t.Valid || t.InfinityModifier != pgtype.Finite || !shown(t.Time.UTC()) {
		return time.Time{}
	}
	return t.Time.UTC()
}

// timeInto scans a time, whatever Postgres has stored, as shownTime has it.
type timeInto struct{ at *time.Time }

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (t timeInto) ScanTimestamptz(stored pgtype.Timestamptz) error {
	*t.at = shownTime(stored)
	return nil
}
