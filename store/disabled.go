package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// SetDisabled disables or enables starts of a definition, and records the actor. It reports whether that is a change.
// Errors: record.ErrDefinitionNotFound.
func (s *Store) SetDisabled(ctx context.Context, definition string, disabled bool, actor string) (changed bool, err error) {
	if !storable(definition) {
		return false, fmt.Errorf("disable a definition: %w", record.ErrDefinitionNotFound)
	}
	statement := `insert into disabled_definitions (name, actor, since) values ($1, $2, clock_timestamp()) on conflict do nothing`
	arguments := []any{definition, cleaned(actor)}
	if !disabled {
		statement, arguments = `delete from disabled_definitions where name = $1`, arguments[:1]
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var defined bool
		if err := tx.QueryRow(ctx, `select exists (select from definitions where name = $1)`, definition).Scan(&defined); err != nil {
			return err
		}
		if !defined {
			return record.ErrDefinitionNotFound
		}
		done, err := tx.Exec(ctx, statement, arguments...)
		if changed = done.RowsAffected() > 0; err != nil || !changed {
			return err
		}
		action := map[bool]string{true: "definition.disable", false: "definition.enable"}[disabled]
		return s.audit(ctx, tx, action, "definitions/"+definition, definition,
			map[string]bool{"disabled": !disabled}, map[string]bool{"disabled": disabled})
	})
	if err != nil {
		return false, fmt.Errorf("disable definition %s: %w", definition, err)
	}
	return changed, nil
}

// Disabled returns the names of the definitions that accept no starts, sorted.
func (s *Store) Disabled(ctx context.Context) (names []string, err error) {
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select name from disabled_definitions order by name`)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list disabled definitions: %w", err)
	}
	return names, nil
}
