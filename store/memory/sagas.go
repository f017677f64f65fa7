package memory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// Saga returns one saga. Errors: record.ErrSagaNotFound.
func (s *Store) Saga(_ context.Context, id string) (saga.Instance, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, found := s.tables.sagas[id]
	if !found {
		return saga.Instance{}, fmt.Errorf("read saga %s: %w", id, record.ErrSagaNotFound)
	}
	return record.Clone(row.Instance), nil
}

// Changed returns those of the sagas that are there at a higher revision than the one given.
func (s *Store) Changed(_ context.Context, revisions map[string]int64) ([]saga.Instance, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var changed []saga.Instance
	for id, revision := range revisions {
		if row, found := s.tables.sagas[id]; found && row.Revision > revision {
			changed = append(changed, record.Clone(row.Instance))
		}
	}
	return changed, nil
}

// Sagas returns the sagas that the filter selects, newest first: by id, since ULIDs sort by time. page.After is the id
// of a saga, which need not be there any more.
func (s *Store) Sagas(_ context.Context, filter record.Filter, page record.Page) ([]saga.Instance, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	end := len(s.tables.ids)
	if page.After != "" {
		end, _ = slices.BinarySearch(s.tables.ids, page.After)
	}
	var found []saga.Instance
	for _, id := range slices.Backward(s.tables.ids[:end]) {
		if in := s.tables.sagas[id].Instance; selects(filter, &in) {
			found = append(found, record.Clone(in))
		}
		if page.Limit > 0 && len(found) == page.Limit {
			break
		}
	}
	return found, nil
}

func selects(filter record.Filter, in *saga.Instance) bool {
	for name, value := range filter.Labels {
		if has, found := in.Labels[name]; !found || has != value {
			return false
		}
	}
	return (filter.Definition == nil || in.Definition == *filter.Definition) &&
		(filter.Version == nil || in.Version == *filter.Version) &&
		(filter.Statuses == nil || slices.Contains(filter.Statuses, in.Status)) &&
		(filter.Key == nil || in.Key == *filter.Key) &&
		(filter.CreatedAfter == nil || in.CreatedAt.After(micro(*filter.CreatedAfter))) &&
		(filter.CreatedBefore == nil || in.CreatedAt.Before(micro(*filter.CreatedBefore))) &&
		(!filter.NeedsAttention || in.Attention != nil) &&
		(filter.AttentionReasons == nil ||
			in.Attention != nil && slices.Contains(filter.AttentionReasons, in.Attention.Reason))
}

// Due returns up to limit ids of sagas that were to wake by now less grace, earliest first.
func (s *Store) Due(_ context.Context, grace time.Duration, limit int) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	latest := s.now().Add(-grace)
	var due []string
	for id, at := range s.tables.waking {
		if !at.After(latest) {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b string) int {
		return cmp.Or(s.tables.waking[a].Compare(s.tables.waking[b]), strings.Compare(a, b))
	})
	return due[:min(limit, len(due))], nil
}

// History returns a saga's entries, oldest first. page.After is the seq of an entry. Errors: record.ErrSagaNotFound.
func (s *Store) History(_ context.Context, sagaID string, page record.Page) ([]record.Entry, error) {
	var after int64
	if page.After != "" {
		var err error
		if after, err = strconv.ParseInt(page.After, 10, 64); err != nil || after < 0 {
			return nil, fmt.Errorf("read the history of saga %s: %w", sagaID, record.ErrPageNotFound)
		}
	}
	s.mu.RLock()
	rows := s.tables.history[sagaID]
	s.mu.RUnlock()
	if len(rows) == 0 && after == 0 {
		return nil, fmt.Errorf("read the history of saga %s: %w", sagaID, record.ErrSagaNotFound)
	}
	for len(rows) > 0 && rows[0].Seq <= after {
		rows = rows[1:]
	}
	entries := make([]record.Entry, 0, len(rows))
	for _, row := range limited(rows, page) {
		entry, err := row.entry()
		if err != nil {
			return nil, fmt.Errorf("read the history of saga %s: %w", sagaID, err)
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// entry keeps the numbers of the detail as the text that they were: a float64 would lose digits.
func (r entryRow) entry() (record.Entry, error) {
	entry := record.Entry{SagaID: r.SagaID, Entry: saga.Entry{
		Seq: r.Seq, At: r.At, Type: r.Type, Step: r.Step, Attempt: r.Attempt, Actor: r.Actor,
	}}
	if r.Detail == nil {
		return entry, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Detail))
	decoder.UseNumber()
	if err := decoder.Decode(&entry.Detail); err != nil {
		return entry, fmt.Errorf("decode entry %d: %w", r.Seq, err)
	}
	return entry, nil
}
