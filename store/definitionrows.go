package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// definitionColumns returns the columns of a definitionRow. A body that is too large to be read is not loaded: one of a hundred megabytes,
// which SQL has stored, made every list of definitions and queues time out.
func definitionColumns() string {
	return `d.name, d.version, case when ` + readableSize("d.body", saga.MaxStoredBytes) + ` then d.body end, d.created_at`
}

var errNoDefinition = fmt.Errorf("no body, or one of more than %d bytes", saga.MaxStoredBytes)

// queryer is implemented by pools and transactions.
type queryer interface {
	Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error)
}

func latestDefinition(ctx context.Context, q queryer, name string) (record.RegisteredDefinition, error) {
	return oneDefinition(ctx, q, `select `+definitionColumns()+` from definitions d where d.name = $1
		order by d.version desc limit 1`, name)
}

func oneDefinition(ctx context.Context, q queryer, statement string, args ...any) (record.RegisteredDefinition, error) {
	rows, err := q.Query(ctx, statement, args...)
	if err != nil {
		return record.RegisteredDefinition{}, err
	}
	found := record.RegisteredDefinition{Unreadable: record.ErrDefinitionNotFound}
	err = readRows(rows, (*definitionRow).columns, func(row *definitionRow, fault error) { found = row.registered(fault) })
	if err = cmp.Or(err, found.Unreadable); err != nil {
		return record.RegisteredDefinition{}, err
	}
	return found, nil
}

// definitionRow is a row of definitionColumns.
type definitionRow struct {
	name      string
	version   int
	body      []byte
	createdAt time.Time
}

func (r *definitionRow) columns() []any { return []any{&r.name, &r.version, &r.body, &r.createdAt} }

func (r *definitionRow) registered(fault error) record.RegisteredDefinition {
	var d *saga.Definition
	if r.body == nil && fault == nil {
		fault = errNoDefinition
	}
	if fault == nil {
		d, fault = saga.ReadDefinition(r.name, r.version, r.body)
	}
	if !shown(r.createdAt) {
		fault, r.createdAt = cmp.Or(fault, errOutOfRange), time.Time{}
	}
	registered := record.RegisteredDefinition{Definition: d, CreatedAt: r.createdAt.UTC()}
	if fault != nil {
		registered.Definition = &saga.Definition{Name: r.name, Version: r.version}
		registered.Unreadable = unreadable(fmt.Sprintf("definition %s version %d", r.name, r.version), fault)
	}
	return registered
}
