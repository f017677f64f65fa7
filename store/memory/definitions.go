package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// PutDefinition registers a definition as the next version and returns true, unless the latest version is the same.
func (s *Store) PutDefinition(ctx context.Context, d *saga.Definition) (record.RegisteredDefinition, bool, error) {
	var registered record.RegisteredDefinition
	var created bool
	err := s.write(ctx, func(w *writing) error {
		// The same definition has the same canonical body.
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
		if registered, err = row.registered(); err != nil {
			return err
		}
		return w.audited(ctx, s.now(), "definition.put", "definitions/"+row.Name, row.Name,
			record.AuditedVersion(row.Version-1), record.AuditedVersion(row.Version))
	})
	if err != nil {
		return record.RegisteredDefinition{}, false, fmt.Errorf("put definition %s: %w", d.Name, err)
	}
	return registered, created, nil
}

func (r definitionRow) registered() (record.RegisteredDefinition, error) {
	listed := r.listed()
	if listed.Unreadable != nil {
		return record.RegisteredDefinition{}, listed.Unreadable
	}
	return listed, nil
}

// listed returns the definition, or its readable part.
func (r definitionRow) listed() record.RegisteredDefinition {
	d, err := saga.ReadDefinition(r.Name, r.Version, []byte(r.Body))
	if err != nil {
		return record.RegisteredDefinition{
			Definition: &saga.Definition{Name: r.Name, Version: r.Version}, CreatedAt: r.CreatedAt,
			Unreadable: fmt.Errorf("definition %s version %d: %w: %w", r.Name, r.Version, record.ErrUnreadable, err),
		}
	}
	return record.RegisteredDefinition{Definition: d, CreatedAt: r.CreatedAt}
}

// Definition returns one version of a definition. Errors: record.ErrDefinitionNotFound.
func (s *Store) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	registered, err := s.DefinitionVersion(ctx, name, version)
	return registered.Definition, err
}

// DefinitionVersion returns one version with the time of its registration. Errors: record.ErrDefinitionNotFound.
func (s *Store) DefinitionVersion(_ context.Context, name string, version int) (record.RegisteredDefinition, error) {
	return findVersion(s.versions(name), name, version)
}

func findVersion(rows []definitionRow, name string, version int) (record.RegisteredDefinition, error) {
	for _, row := range rows {
		if row.Version == version {
			return row.registered()
		}
	}
	return record.RegisteredDefinition{}, fmt.Errorf("read definition %s version %d: %w", name, version, record.ErrDefinitionNotFound)
}

// LatestDefinition returns the latest version of a definition. Errors: record.ErrDefinitionNotFound.
func (s *Store) LatestDefinition(_ context.Context, name string) (record.RegisteredDefinition, error) {
	rows := s.versions(name)
	if len(rows) == 0 {
		return record.RegisteredDefinition{}, fmt.Errorf("read the latest definition %s: %w", name, record.ErrDefinitionNotFound)
	}
	return rows[len(rows)-1].registered()
}

// Definitions returns the latest version of each definition, by name. next is page.After of the next page, empty at the
// end.
func (s *Store) Definitions(
	_ context.Context, page record.Page,
) (found []record.RegisteredDefinition, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var rows []definitionRow
	for _, name := range slices.Sorted(maps.Keys(s.tables.definitions)) {
		if name > page.After && page.Scope.Covers(name) {
			versions := s.tables.definitions[name]
			rows = append(rows, versions[len(versions)-1])
		}
	}
	found, next = listed(rows, page, func(row definitionRow) string { return row.Name })
	return found, next, nil
}

// DefinitionVersions returns the versions of a definition, newest first. Errors: record.ErrDefinitionNotFound.
func (s *Store) DefinitionVersions(
	_ context.Context, name string, page record.Page,
) (found []record.RegisteredDefinition, next string, err error) {
	rows := slices.Clone(s.versions(name))
	if len(rows) == 0 {
		return nil, "", fmt.Errorf("list the versions of definition %s: %w", name, record.ErrDefinitionNotFound)
	}
	slices.Reverse(rows)
	if page.After != "" {
		before, err := strconv.Atoi(page.After)
		if err != nil {
			return nil, "", fmt.Errorf("list the versions of definition %s: %w", name, record.ErrPageNotFound)
		}
		rows = slices.DeleteFunc(rows, func(row definitionRow) bool { return row.Version >= before })
	}
	found, next = listed(rows, page, func(row definitionRow) string { return strconv.Itoa(row.Version) })
	return found, next, nil
}

// listed cuts the rows at the end of the page.
func listed(
	rows []definitionRow, page record.Page, position func(definitionRow) string,
) (found []record.RegisteredDefinition, next string) {
	bytes := 0
	for i, row := range rows {
		bytes += len(row.Body)
		if len(found) > 0 && (bytes > record.PageBytes || len(found) == page.Limit) {
			return found, position(rows[i-1])
		}
		found = append(found, row.listed())
	}
	return found, ""
}

// Queues returns the worker queues of all versions of all definitions, by name.
func (s *Store) Queues(context.Context) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tables.queues(), nil
}

func (t *tables) queues() (queues []string) {
	for _, rows := range t.definitions {
		for _, row := range rows {
			queues = append(queues, row.listed().Queues()...)
		}
	}
	slices.Sort(queues)
	return slices.Compact(queues)
}

func (s *Store) versions(name string) []definitionRow {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tables.definitions[name]
}
