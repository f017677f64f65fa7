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

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Saga returns a saga. An unreadable one is returned with its readable part. Errors: record.ErrSagaNotFound.
func (s *Store) Saga(_ context.Context, id string) (record.StoredSaga, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, found := s.tables.sagas[id]
	if !found {
		return record.StoredSaga{}, fmt.Errorf("read saga %s: %w", id, record.ErrSagaNotFound)
	}
	return row.stored(), nil
}

// Changed returns the sagas whose revision is higher than the given one, without unreadable ones.
func (s *Store) Changed(_ context.Context, revisions map[string]int64) ([]saga.Instance, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var changed []saga.Instance
	for id, revision := range revisions {
		if row, found := s.tables.sagas[id]; found && row.Unreadable == "" && row.Revision > revision {
			changed = append(changed, record.Clone(row.Instance))
		}
	}
	return changed, nil
}

// Sagas returns the sagas that the filter selects, newest first by id, since ULIDs sort by time. next is page.After of
// the next page, empty at the end.
func (s *Store) Sagas(
	_ context.Context, filter record.Filter, page record.Page,
) (found []record.StoredSaga, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	end := len(s.tables.ids)
	if page.After != "" {
		end, _ = slices.BinarySearch(s.tables.ids, page.After)
	}
	bytes := 0
	for _, id := range slices.Backward(s.tables.ids[:end]) {
		row := s.tables.sagas[id]
		if !selects(filter, &row.Instance) {
			continue
		}
		bytes += len(row.Data)
		if len(found) > 0 && (bytes > record.PageBytes || len(found) == page.Limit) {
			return found, found[len(found)-1].ID, nil
		}
		found = append(found, row.stored())
	}
	return found, "", nil
}

func selects(filter record.Filter, in *saga.Instance) bool {
	for name, value := range filter.Labels {
		if has, found := in.Labels[name]; !found || has != value {
			return false
		}
	}
	return (filter.Parent == nil || in.Parent != nil && in.Parent.Saga == *filter.Parent) &&
		filter.Scope.Covers(in.Definition) &&
		(filter.Definition == nil || in.Definition == *filter.Definition) &&
		(filter.Version == nil || in.Version == *filter.Version) &&
		(filter.Statuses == nil || slices.Contains(filter.Statuses, in.Status)) &&
		(filter.Key == nil || in.Key == *filter.Key) &&
		(filter.CreatedAfter == nil || in.CreatedAt.After(micro(*filter.CreatedAfter))) &&
		(filter.CreatedBefore == nil || in.CreatedAt.Before(micro(*filter.CreatedBefore))) &&
		(!filter.OfAttention() || in.Attention != nil) &&
		(filter.Step == nil || in.Attention.Step == *filter.Step) &&
		(filter.ErrorCode == nil || attentionCode(in) == *filter.ErrorCode) &&
		(filter.AttentionReasons == nil ||
			in.Attention != nil && slices.Contains(filter.AttentionReasons, in.Attention.Reason))
}

// Due returns up to limit sagas whose WakeAt is at least grace ago, in the order of (WakeAt, SagaID), after the given
// position. The zero position is the start.
func (s *Store) Due(
	_ context.Context, grace time.Duration, after record.DueSaga, limit int,
) ([]record.DueSaga, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	latest := s.now().Add(-grace)
	inOrder := func(a, b record.DueSaga) int {
		return cmp.Or(a.WakeAt.Compare(b.WakeAt), strings.Compare(a.SagaID, b.SagaID))
	}
	var due []record.DueSaga
	for id, at := range s.tables.waking {
		if one := (record.DueSaga{SagaID: id, WakeAt: at}); !at.After(latest) && inOrder(one, after) > 0 {
			due = append(due, one)
		}
	}
	slices.SortFunc(due, inOrder)
	return due[:min(limit, len(due))], nil
}

// History returns a saga's entries, oldest first. next is page.After of the next page, empty at the end. Errors:
// record.ErrSagaNotFound.
func (s *Store) History(
	_ context.Context, sagaID string, page record.Page,
) (entries []record.Entry, next string, err error) {
	var after int64
	if page.After != "" {
		if after, err = strconv.ParseInt(page.After, 10, 64); err != nil || after < 0 {
			return nil, "", fmt.Errorf("read the history of saga %s: %w", sagaID, record.ErrPageNotFound)
		}
	}
	s.mu.RLock()
	rows := s.tables.history[sagaID]
	s.mu.RUnlock()
	if len(rows) == 0 && after == 0 {
		return nil, "", fmt.Errorf("read the history of saga %s: %w", sagaID, record.ErrSagaNotFound)
	}
	for len(rows) > 0 && rows[0].Seq <= after {
		rows = rows[1:]
	}
	bytes := 0
	for _, row := range rows {
		bytes += len(row.Detail)
		if len(entries) > 0 && (bytes > record.PageBytes || len(entries) == page.Limit) {
			return entries, strconv.FormatInt(entries[len(entries)-1].Seq, 10), nil
		}
		entry, err := row.entry()
		if err != nil {
			return nil, "", fmt.Errorf("read the history of saga %s: %w", sagaID, err)
		}
		entries = append(entries, entry)
	}
	return entries, "", nil
}

// entry decodes a row. Numbers stay text: a float64 would lose digits.
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
