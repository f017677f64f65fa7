package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// PutDefinition registers a definition as the next version and returns true, unless the latest version is the same.
func (s *Store) PutDefinition(ctx context.Context, d *saga.Definition) (record.RegisteredDefinition, bool, error) {
	var registered record.RegisteredDefinition
	var created bool
	err := retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			registered, created, err = s.putDefinition(ctx, tx, d)
			return err
		})
	})
	if err != nil {
		return record.RegisteredDefinition{}, false, fmt.Errorf("put definition %s: %w", d.Name, err)
	}
	return registered, created, nil
}

func (s *Store) putDefinition(ctx context.Context, tx pgx.Tx, d *saga.Definition) (record.RegisteredDefinition, bool, error) {
	var none record.RegisteredDefinition
	// Registrations of one name take turns, so that two of the same definition get the same version. The lock is a
	// separate statement: the next one needs a snapshot from after the wait.
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('definition/' || $1, 0))`, d.Name); err != nil {
		return none, false, fmt.Errorf("lock the name: %w", err)
	}
	hash, err := d.Hash()
	if err != nil {
		return none, false, err
	}
	latest, err := latestDefinition(ctx, tx, d.Name)
	version := 1
	switch {
	case errors.Is(err, record.ErrUnreadable): // its body differs
		if version, err = nextVersion(ctx, tx, d.Name); err != nil {
			return none, false, err
		}
	case err == nil:
		known, err := latest.Hash()
		if err != nil || bytes.Equal(known[:], hash[:]) {
			return latest, false, err
		}
		version = latest.Version + 1
	case !errors.Is(err, record.ErrDefinitionNotFound):
		return none, false, err
	}
	body, err := d.StoredJSON()
	if err != nil {
		return none, false, fmt.Errorf("encode: %w", err)
	}
	rows, err := tx.Query(ctx, `insert into definitions as d (name, version, hash, body, queues, created_at)
		values ($1, $2, $3, $4::text::json, $5, clock_timestamp()) returning `+definitionColumns(),
		d.Name, version, hash[:], string(body), d.Queues())
	if err != nil {
		return none, false, err
	}
	var registered record.RegisteredDefinition
	err = readRows(rows, (*definitionRow).columns, func(row *definitionRow, fault error) { registered = row.registered(fault) })
	if err = cmp.Or(err, registered.Unreadable); err == nil {
		err = s.audit(ctx, tx, "definition.put", "definitions/"+d.Name, d.Name, record.AuditedVersion(version-1), record.AuditedVersion(version))
	}
	return registered, true, err
}

// Definition returns one version of a definition. Errors: record.ErrDefinitionNotFound.
func (s *Store) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	registered, err := s.DefinitionVersion(ctx, name, version)
	return registered.Definition, err
}

// DefinitionVersion returns one version with the time of its registration. Errors: record.ErrDefinitionNotFound.
func (s *Store) DefinitionVersion(ctx context.Context, name string, version int) (record.RegisteredDefinition, error) {
	if !storable(name) || !storableVersion(version) {
		return record.RegisteredDefinition{}, fmt.Errorf("read a definition: %w", record.ErrDefinitionNotFound)
	}
	found, err := oneDefinition(ctx, s.pool, `select `+definitionColumns()+` from definitions d
		where d.name = $1 and d.version = $2`, name, version)
	if err != nil {
		return found, fmt.Errorf("read definition %s version %d: %w", name, version, err)
	}
	return found, nil
}

// LatestDefinition returns the latest version of a definition. Errors: record.ErrDefinitionNotFound.
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
func (s *Store) Definitions(
	ctx context.Context, page record.Page,
) (found []record.RegisteredDefinition, next string, err error) {
	if !storable(page.After) {
		return nil, "", fmt.Errorf("list definitions: %w", record.ErrPageNotFound)
	}
	// A loose index scan: it skips the older versions of each name.
	found, next, err = s.listDefinitions(ctx, page, definitionName, `with recursive names as (
			(select name from definitions where name > $1 order by name limit 1)
			union all
			select (select d.name from definitions d where d.name > n.name order by d.name limit 1) from names n
			where n.name is not null
		)
		select `+definitionColumns()+` from (select name from names
			where name is not null and ($3::text[] is null or name = any($3)) limit $2) n cross join lateral (
			select * from definitions d where d.name = n.name order by d.version desc limit 1) d
		order by n.name`, page.After, []string(page.Scope))
	if err != nil {
		return nil, "", fmt.Errorf("list definitions: %w", err)
	}
	return found, next, nil
}

func definitionName(d *record.RegisteredDefinition) string { return d.Name }

func definitionVersion(d *record.RegisteredDefinition) string { return strconv.Itoa(d.Version) }

// DefinitionVersions returns the versions of a definition, newest first. Errors: record.ErrDefinitionNotFound.
func (s *Store) DefinitionVersions(
	ctx context.Context, name string, page record.Page,
) (found []record.RegisteredDefinition, next string, err error) {
	if !storable(name) {
		return nil, "", fmt.Errorf("list the versions of a definition: %w", record.ErrDefinitionNotFound)
	}
	before := math.MaxInt32
	if page.After != "" {
		if before, err = strconv.Atoi(page.After); err != nil || !storableVersion(before) {
			return nil, "", fmt.Errorf("list the versions of definition %s: %w", name, record.ErrPageNotFound)
		}
	}
	found, next, err = s.listDefinitions(ctx, page, definitionVersion, `select `+definitionColumns()+` from definitions d
		where d.name = $1 and d.version < $3 order by d.version desc limit $2`, name, before)
	if err == nil && len(found) == 0 && page.After == "" {
		err = record.ErrDefinitionNotFound
	}
	if err != nil {
		return nil, "", fmt.Errorf("list the versions of definition %s: %w", name, err)
	}
	return found, next, nil
}

// listDefinitions reads a page. The statement takes its limit as the second parameter. A definition that cannot be read
// is listed with its readable part.
func (s *Store) listDefinitions(
	ctx context.Context, page record.Page, position func(*record.RegisteredDefinition) string, statement, first string, more ...any,
) (found []record.RegisteredDefinition, next string, err error) {
	cut := newPageCut[record.RegisteredDefinition](page)
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement, append([]any{first, cut.limit()}, more...)...)
		if err != nil {
			return err
		}
		return readRows(rows, (*definitionRow).columns, func(row *definitionRow, fault error) {
			cut.add(row.registered(fault), len(row.body))
		})
	})
	found, next = cut.page(position)
	return found, next, err
}

// Queues returns the worker queues of all versions of all definitions, by name.
func (s *Store) Queues(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `select queue from (select distinct unnest(queues) collate "C" as queue from definitions) q
		where queue is not null order by queue`)
	if err != nil {
		return nil, fmt.Errorf("list worker queues: %w", err)
	}
	queues, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list worker queues: %w", err)
	}
	return queues, nil
}

func nextVersion(ctx context.Context, tx pgx.Tx, name string) (int, error) {
	var latest int
	err := tx.QueryRow(ctx, `select max(version) from definitions where name = $1`, name).Scan(&latest)
	return latest + 1, err
}
