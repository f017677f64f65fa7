package memory

import "slices"

// BreakSaga makes the row of a saga unreadable.
func (s *Store) BreakSaga(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.tables.sagas[id]
	row.Unreadable = "broken"
	row.Steps = slices.Clone(row.Steps)
	for i := range row.Steps {
		name := row.Steps[i].Name
		row.Steps[i] = row.Steps[len(row.Steps)-1]
		clear(row.Steps[i : i+1])
		row.Steps[i].Name = name
	}
	s.tables.putSaga(row)
}

// DropSaga deletes only the row of a saga.
func (s *Store) DropSaga(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tables.sagas, id)
	delete(s.tables.waking, id)
	s.tables.ids = slices.DeleteFunc(s.tables.ids, func(other string) bool { return other == id })
}

// BreakDefinition makes the body of a version unreadable.
func (s *Store) BreakDefinition(name string, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := slices.Clone(s.tables.definitions[name])
	for i := range rows {
		if rows[i].Version == version {
			rows[i].Body = `{"steps": "later"}`
		}
	}
	s.tables.definitions[name] = rows
}

// DropDefinition deletes the row of a version.
func (s *Store) DropDefinition(name string, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := slices.DeleteFunc(slices.Clone(s.tables.definitions[name]), func(row definitionRow) bool { return row.Version == version })
	if s.tables.definitions[name] = rows; len(rows) == 0 {
		delete(s.tables.definitions, name)
	}
}
