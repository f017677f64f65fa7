package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

const definitionColumns = `d.name, d.version, d.body, d.created_at`

// PutDefinition registers a definition: as the next version, and true, unless the latest version is the same plan.
func (s *Store) PutDefinition(ctx context.Context, d *saga.Definition) (record.RegisteredDefinition, bool, error) {
	var registered record.RegisteredDefinition
	var created bool
	err := retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			registered, created, err = putDefinition(ctx, tx, d)
			return err
		})
	})
	if err != nil {
		return record.RegisteredDefinition{}, false, fmt.Errorf("put definition %s: %w", d.Name, err)
	}
	return registered, created, nil
}

func putDefinition(ctx context.Context, tx pgx.Tx, d *saga.Definition) (record.RegisteredDefinition, bool, error) {
	var none record.RegisteredDefinition
	// One at a time per name, so that two who put the same plan get the same version. The lock is a statement of its
	// own: the snapshot of what follows must be taken after the wait.
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('definition/' || $1, 0))`, d.Name); err != nil {
		return none, false, fmt.Errorf("lock the name: %w", err)
	}
	hash, err := d.Hash()
	if err != nil {
		return none, false, err
	}
	latest, err := latestDefinition(ctx, tx, d.Name)
	version := 1
	if err == nil {
		known, err := latest.Hash()
		if err != nil || bytes.Equal(known[:], hash[:]) {
			return latest, false, err
		}
		version = latest.Version + 1
	} else if !errors.Is(err, record.ErrDefinitionNotFound) {
		return none, false, err
	}
	body, err := d.MarshalJSON()
	if err != nil {
		return none, false, fmt.Errorf("encode: %w", err)
	}
	rows, err := tx.Query(ctx, `insert into definitions as d (name, version, hash, body, queues, created_at)
		values ($1, $2, $3, $4::text::json, $5, clock_timestamp()) returning `+definitionColumns,
		d.Name, version, hash[:], string(body), d.Queues())
	if err != nil {
		return none, false, err
	}
	registered, err := pgx.CollectExactlyOneRow(rows, scanDefinition)
	return registered, true, err
}

// Definition returns one version of a definition. Errors: record.ErrDefinitionNotFound.
func (s *Store) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	registered, err := s.DefinitionVersion(ctx, name, version)
	return registered.Definition, err
}

// DefinitionVersion is Definition with the time of its registration.
func (s *Store) DefinitionVersion(ctx context.Context, name string, version int) (record.RegisteredDefinition, error) {
	if !storable(name) || !storableVersion(version) {
		return record.RegisteredDefinition{}, fmt.Errorf("read a definition: %w", record.ErrDefinitionNotFound)
	}
	found, err := oneDefinition(ctx, s.pool, `select `+definitionColumns+` from definitions d
		where d.name = $1 and d.version = $2`, name, version)
	if err != nil {
		return found, fmt.Errorf("read definition %s version %d: %w", name, version, err)
	}
	return found, nil
}

// LatestDefinition returns the newest version of a definition. Errors: record.ErrDefinitionNotFound.
func (s *Store) LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error) {
	if !storable(name) {
		return record.RegisteredDefinition{}, fmt.Errorf("read a definition: %w", record.ErrDefinitionNotFound)
	}
	found, err := latestDefinition(ctx, s.pool, name)
	if err != nil {
		return found, fmt.Errorf("read the latest definition %s: %w", name, err)
	}
	return found, nil
}

// Definitions returns the latest version of each definition, by name.
func (s *Store) Definitions(ctx context.Context, page record.Page) ([]record.RegisteredDefinition, error) {
	if !storable(page.After) {
		return nil, fmt.Errorf("list definitions: %w", record.ErrPageNotFound)
	}
	found, err := s.manyDefinitions(ctx, `select distinct on (d.name) `+definitionColumns+` from definitions d
		where d.name > $1 order by d.name, d.version desc limit $2`, page.After, rowLimit(page.Limit))
	if err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	return found, nil
}

// DefinitionVersions returns every version of a definition, newest first. Errors: record.ErrDefinitionNotFound.
func (s *Store) DefinitionVersions(ctx context.Context, name string) ([]record.RegisteredDefinition, error) {
	if !storable(name) {
		return nil, fmt.Errorf("list the versions of a definition: %w", record.ErrDefinitionNotFound)
	}
	found, err := s.manyDefinitions(ctx, `select `+definitionColumns+` from definitions d where d.name = $1
		order by d.version desc`, name)
	if err == nil && len(found) == 0 {
		err = record.ErrDefinitionNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("list the versions of definition %s: %w", name, err)
	}
	return found, nil
}

// Queues returns the worker queues of all versions of all definitions, by name.
func (s *Store) Queues(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `select distinct unnest(queues) collate "C" as queue from definitions order by queue`)
	if err != nil {
		return nil, fmt.Errorf("list worker queues: %w", err)
	}
	queues, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list worker queues: %w", err)
	}
	return queues, nil
}

// queryer is what a pool and a transaction have in common.
type queryer interface {
	Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error)
}

func latestDefinition(ctx context.Context, q queryer, name string) (record.RegisteredDefinition, error) {
	return oneDefinition(ctx, q, `select `+definitionColumns+` from definitions d where d.name = $1
		order by d.version desc limit 1`, name)
}

func oneDefinition(ctx context.Context, q queryer, statement string, args ...any) (record.RegisteredDefinition, error) {
	rows, err := q.Query(ctx, statement, args...)
	if err != nil {
		return record.RegisteredDefinition{}, err
	}
	found, err := pgx.CollectExactlyOneRow(rows, scanDefinition)
	if errors.Is(err, pgx.ErrNoRows) {
		err = record.ErrDefinitionNotFound
	}
	return found, err
}

func (s *Store) manyDefinitions(ctx context.Context, statement string, args ...any) ([]record.RegisteredDefinition, error) {
	rows, err := s.pool.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanDefinition)
}

func scanDefinition(row pgx.CollectableRow) (record.RegisteredDefinition, error) {
	var name string
	var version int
	var body []byte
	var createdAt time.Time
	if err := row.Scan(&name, &version, &body, &createdAt); err != nil {
		return record.RegisteredDefinition{}, err
	}
	d, err := saga.ParseDefinition(name, version, body)
	if err != nil {
		return record.RegisteredDefinition{}, fmt.Errorf("read definition %s version %d as it is stored: %w", name, version, err)
	}
	return record.RegisteredDefinition{Definition: d, CreatedAt: createdAt.UTC()}, nil
}
