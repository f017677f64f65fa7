package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// putDeadLetters stores dead letters; one that is there already stays as it is.
func (t *transaction) putDeadLetters(now time.Time, letters []record.DeadLetter) {
	seen := make(map[string]bool, len(letters))
	for _, d := range letters {
		if _, found := t.writing.tables.deadLetters[d.ID]; found || seen[d.ID] {
			continue
		}
		seen[d.ID] = true
		d = cloneDeadLetter(d)
		d.ReceivedAt = now
		t.put(bucketDeadLetters, d.ID, d, func() { t.writing.tables.deadLetters[d.ID] = d })
	}
}

func cloneDeadLetter(d record.DeadLetter) record.DeadLetter {
	d.Headers, d.Body = slices.Clone(d.Headers), slices.Clone(d.Body)
	return d
}

// DeadLetters returns dead letters, newest first. page.After is the id of one that is still there; if it is not, the
// error is record.ErrPageNotFound.
func (s *Store) DeadLetters(_ context.Context, page record.Page) ([]record.DeadLetter, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	newestFirst := func(a, b record.DeadLetter) int {
		return -cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), strings.Compare(a.ID, b.ID))
	}
	rows := slices.SortedFunc(maps.Values(s.tables.deadLetters), newestFirst)
	if page.After != "" {
		last, found := s.tables.deadLetters[page.After]
		if !found {
			return nil, fmt.Errorf("list dead letters: %w", record.ErrPageNotFound)
		}
		at, _ := slices.BinarySearchFunc(rows, last, newestFirst)
		rows = rows[at+1:]
	}
	letters := make([]record.DeadLetter, 0, len(rows))
	for _, row := range limited(rows, page) {
		letters = append(letters, cloneDeadLetter(row))
	}
	return letters, nil
}

// DeadLetter returns one. Errors: record.ErrDeadLetterNotFound.
func (s *Store) DeadLetter(_ context.Context, id string) (record.DeadLetter, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, found := s.tables.deadLetters[id]
	if !found {
		return record.DeadLetter{}, fmt.Errorf("read dead letter %s: %w", id, record.ErrDeadLetterNotFound)
	}
	return cloneDeadLetter(row), nil
}

// DeleteDeadLetter removes one that was sent again or is not wanted. Errors: record.ErrDeadLetterNotFound.
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	err := s.write(ctx, func(w *writing) error {
		if _, found := w.tables.deadLetters[id]; !found {
			return record.ErrDeadLetterNotFound
		}
		w.delete(bucketDeadLetters, id, func() { delete(w.tables.deadLetters, id) })
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete dead letter %s: %w", id, err)
	}
	return nil
}
