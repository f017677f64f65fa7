package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// PutDefinition registers a definition: as the next version, and true, unless the latest version is the same plan.
func (s *Store) PutDefinition(ctx context.Context, d *saga.Definition) (record.RegisteredDefinition, bool, error) {
	var registered record.RegisteredDefinition
	var created bool
	err := s.write(ctx, func(w *writing) error {
		// The same plan has the same canonical body.
		body, err := d.MarshalJSON()
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		row := definitionRow{Name: d.Name, Version: 1, Body: string(body), CreatedAt: s.now()}
		if versions := w.tables.definitions[d.Name]; len(versions) > 0 {
			latest := versions[len(versions)-1]
			if latest.Body == row.Body {
				registered, err = latest.registered()
				return err
			}
			row.Version = latest.Version + 1
		}
		created = true
		w.put(bucketDefinitions, row.Name+"/"+strconv.Itoa(row.Version), row, func() { w.tables.putDefinition(row) })
		registered, err = row.registered()
		return err
	})
	if err != nil {
		return record.RegisteredDefinition{}, false, fmt.Errorf("put definition %s: %w", d.Name, err)
	}
	return registered, created, nil
}

func (r definitionRow) registered() (record.RegisteredDefinition, error) {
	d, err := saga.ParseDefinition(r.Name, r.Version, []byte(r.Body))
	if err != nil {
		return record.RegisteredDefinition{}, fmt.Errorf("read definition %s version %d as it is stored: %w", r.Name, r.Version, err)
	}
	return record.RegisteredDefinition{Definition: d, CreatedAt: r.CreatedAt}, nil
}

// Definition returns one version of a definition. Errors: record.ErrDefinitionNotFound.
func (s *Store) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	registered, err := s.DefinitionVersion(ctx, name, version)
	return registered.Definition, err
}

// DefinitionVersion is Definition with the time of its registration.
func (s *Store) DefinitionVersion(_ context.Context, name string, version int) (record.RegisteredDefinition, error) {
	for _, row := range s.versions(name) {
		if row.Version == version {
			return row.registered()
		}
	}
	return record.RegisteredDefinition{}, fmt.Errorf("read definition %s version %d: %w", name, version, record.ErrDefinitionNotFound)
}

// LatestDefinition returns the newest version of a definition. Errors: record.ErrDefinitionNotFound.
func (s *Store) LatestDefinition(_ context.Context, name string) (record.RegisteredDefinition, error) {
	rows := s.versions(name)
	if len(rows) == 0 {
		return record.RegisteredDefinition{}, fmt.Errorf("read the latest definition %s: %w", name, record.ErrDefinitionNotFound)
	}
	return rows[len(rows)-1].registered()
}

// Definitions returns the latest version of each definition, by name.
func (s *Store) Definitions(_ context.Context, page record.Page) ([]record.RegisteredDefinition, error) {
	s.mu.RLock()
	var rows []definitionRow
	for _, name := range slices.Sorted(maps.Keys(s.tables.definitions)) {
		if name > page.After {
			versions := s.tables.definitions[name]
			rows = append(rows, versions[len(versions)-1])
		}
	}
	s.mu.RUnlock()
	return registeredAll(limited(rows, page))
}

// DefinitionVersions returns every version of a definition, newest first. Errors: record.ErrDefinitionNotFound.
func (s *Store) DefinitionVersions(_ context.Context, name string) ([]record.RegisteredDefinition, error) {
	rows := slices.Clone(s.versions(name))
	if len(rows) == 0 {
		return nil, fmt.Errorf("list the versions of definition %s: %w", name, record.ErrDefinitionNotFound)
	}
	slices.Reverse(rows)
	return registeredAll(rows)
}

// Queues returns the worker queues of all versions of all definitions, by name.
func (s *Store) Queues(context.Context) ([]string, error) {
	s.mu.RLock()
	rows := slices.Concat(slices.Collect(maps.Values(s.tables.definitions))...)
	s.mu.RUnlock()
	registered, err := registeredAll(rows)
	if err != nil {
		return nil, fmt.Errorf("list worker queues: %w", err)
	}
	var queues []string
	for _, d := range registered {
		queues = append(queues, d.Queues()...)
	}
	slices.Sort(queues)
	return slices.Compact(queues), nil
}

func (s *Store) versions(name string) []definitionRow {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tables.definitions[name]
}

func registeredAll(rows []definitionRow) ([]record.RegisteredDefinition, error) {
	list := make([]record.RegisteredDefinition, 0, len(rows))
	for _, row := range rows {
		registered, err := row.registered()
		if err != nil {
			return nil, err
		}
		list = append(list, registered)
	}
	return list, nil
}

// limited cuts the rows off where the page ends.
func limited[Row any](rows []Row, page record.Page) []Row {
	if page.Limit > 0 && page.Limit < len(rows) {
		return rows[:page.Limit]
	}
	return rows
}
