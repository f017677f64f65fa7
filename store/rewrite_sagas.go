package store

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// sagaTable reads and writes sagas as every other transaction does. The update changes the version of the row, so a replica
// that has the saga in its cache reads it again.
func (s *Store) sagaTable() payloadTable {
	return payloadTable{
		name: "sagas", columns: strings.ReplaceAll(sagaColumns, "s.", "r."), stale: s.staleJSON("r.data") + " or " + s.staleInside("r.progress"),
		set: "data = $2::text::json, progress = $3::text::json, attention_message = $4",
		read: func(row pgx.CollectableRow) (stale staleRow, err error) {
			var stored sagaRow
			err = row.Scan(append([]any{&stale.place}, stored.columns()...)...)
			stale.recode = func() ([]any, error) { return s.recodeSaga(&stored) }
			return stale, err
		},
	}
}

func (s *Store) recodeSaga(row *sagaRow) ([]any, error) {
	data, progress := string(row.in.Data), string(row.progress)
	found := row.stored(s.keys, nil)
	if found.Unreadable != nil {
		return nil, found.Unreadable
	}
	columns := newState(s.keys, 1)
	if err := columns.add(&found.Instance, nil); err != nil {
		return nil, err
	}
	if data == *columns.data[0] && progress == columns.progress[0] {
		return nil, nil
	}
	return []any{columns.data[0], columns.progress[0], columns.message[0]}, nil
}

// historyTable reads and writes rows of saga_decisions.
func (s *Store) historyTable() payloadTable {
	stale := s.staleInside("r.entries")
	if s.keys.On() {
		stale += ` or r.entries::text like '%{%'` // a clear detail: all else are texts and numbers
	}
	return payloadTable{
		name: "saga_decisions", columns: "r.saga_id, r.seq, r.at, r.actor, r.entries", stale: stale, set: "entries = $2::text::json",
		read: func(row pgx.CollectableRow) (stale staleRow, err error) {
			var stored ownedDecisionRow
			err = row.Scan(append([]any{&stale.place}, stored.columns()...)...)
			stale.recode = func() ([]any, error) { return s.recodeDecision(&stored) }
			return stale, err
		},
	}
}

func (s *Store) recodeDecision(row *ownedDecisionRow) ([]any, error) {
	entries := row.read(place{s.keys, row.sagaID}, nil)
	all := make([][]any, len(entries))
	for i := range entries {
		if entries[i].Type == entryUnreadable {
			return nil, fmt.Errorf("entry %d of saga %s: %w", entries[i].Seq, row.sagaID, record.ErrUnreadable)
		}
		all[i] = parts(s.keys, &entries[i])
	}
	text, err := new(texts).encode(all)
	if err != nil || text == string(row.entries) {
		return nil, err
	}
	return []any{text}, nil
}
