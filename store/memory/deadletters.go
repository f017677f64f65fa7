package memory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// putDeadLetters stores dead letters; one that is already stored does not change.
func (t *transaction) putDeadLetters(now time.Time, letters []record.DeadLetter) {
	seen := make(map[string]bool, len(letters))
	for _, d := range letters {
		if _, found := t.writing.tables.deadLetters[d.ID]; found || seen[d.ID] {
			continue
		}
		seen[d.ID] = true
		d = cloneDeadLetter(d)
		d.ReceivedAt, d.Size = now, len(d.Body)
		d.Headers = storableHeaders(d.Headers)
		t.put(bucketDeadLetters, d.ID, d, func() { t.writing.tables.deadLetters[d.ID] = d })
	}
}

// discard deletes dead letters.
func (t *transaction) discard(ids []string) {
	for _, id := range ids {
		t.delete(bucketDeadLetters, id, func() { delete(t.writing.tables.deadLetters, id) })
	}
}

// storableHeaders returns the headers as JSON, and headers that are not JSON as a JSON string: a dead letter is never
// lost because of its headers.
func storableHeaders(headers json.RawMessage) json.RawMessage {
	if len(headers) == 0 || json.Valid(headers) {
		return headers
	}
	quoted, err := saga.EncodeJSON(string(headers))
	if err != nil {
		return nil // impossible: a string can be encoded
	}
	return quoted
}

func cloneDeadLetter(d record.DeadLetter) record.DeadLetter {
	d.Headers, d.Body = slices.Clone(d.Headers), slices.Clone(d.Body)
	return d
}

// DeadLetters returns dead letters without their contents, newest first. next is page.After of the next page, empty at
// the end. It stays valid after its dead letter is deleted.
func (s *Store) DeadLetters(
	_ context.Context, filter record.DeadLetterFilter, page record.Page,
) (found []record.DeadLetter, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	newestFirst := func(a, b record.DeadLetter) int {
		return -cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), strings.Compare(a.ID, b.ID))
	}
	rows := slices.SortedFunc(maps.Values(s.tables.deadLetters), newestFirst)
	if page.After != "" {
		var last record.DeadLetter
		if last.ReceivedAt, last.ID, err = record.ParseDeadLetterPosition(page.After); err != nil {
			return nil, "", fmt.Errorf("list dead letters: %w", err)
		}
		at, there := slices.BinarySearchFunc(rows, last, newestFirst)
		if rows = rows[at:]; there {
			rows = rows[1:]
		}
	}
	for _, row := range rows {
		if !s.tables.selectsLetter(filter, &row) {
			continue
		}
		if len(found) > 0 && len(found) == page.Limit {
			last := found[len(found)-1]
			return found, record.DeadLetterPosition(last.ReceivedAt, last.ID), nil
		}
		row.Size, row.Headers, row.Body = len(row.Body), nil, nil
		found = append(found, row)
	}
	return found, "", nil
}

func (t *tables) selectsLetter(filter record.DeadLetterFilter, d *record.DeadLetter) bool {
	is := func(wanted *string, has string) bool { return wanted == nil || *wanted == has }
	return t.covers(filter.Scope, d.SagaID) && is(filter.Queue, d.Queue) && is(filter.Reason, d.Reason) && is(filter.Source, d.Source) && is(filter.SagaID, d.SagaID) &&
		(filter.ReceivedAfter == nil || d.ReceivedAt.After(micro(*filter.ReceivedAfter))) &&
		(filter.ReceivedBefore == nil || d.ReceivedAt.Before(micro(*filter.ReceivedBefore)))
}

// DeadLetter returns a dead letter with its contents. Errors: record.ErrDeadLetterNotFound.
func (s *Store) DeadLetter(_ context.Context, id string) (record.DeadLetter, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, found := s.tables.deadLetters[id]
	if !found {
		return record.DeadLetter{}, fmt.Errorf("read dead letter %s: %w", id, record.ErrDeadLetterNotFound)
	}
	return cloneDeadLetter(row), nil
}

// CommandLetters returns the newest dead letter of each of these commands of a saga, without its contents: the command itself, or
// a reply to it that changed nothing.
func (s *Store) CommandLetters(_ context.Context, sagaID string, commands []saga.CommandID) (found []record.DeadLetter, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	newest := make(map[string]record.DeadLetter)
	for _, letter := range s.tables.deadLetters {
		if letter.SagaID != sagaID || !letter.AnswersCommand() {
			continue
		}
		if known := newest[letter.CommandID]; cmp.Or(letter.ReceivedAt.Compare(known.ReceivedAt), strings.Compare(letter.ID, known.ID)) > 0 {
			newest[letter.CommandID] = letter
		}
	}
	for _, id := range commands {
		if letter, is := newest[id.String()]; is {
			letter.Size, letter.Headers, letter.Body = len(letter.Body), nil, nil
			found = append(found, letter)
		}
	}
	return found, nil
}

// DeleteDeadLetter deletes a dead letter. Errors: record.ErrDeadLetterNotFound.
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	err := s.write(ctx, func(w *writing) error {
		letter, found := w.tables.deadLetters[id]
		if !found {
			return record.ErrDeadLetterNotFound
		}
		w.delete(bucketDeadLetters, id, func() { delete(w.tables.deadLetters, id) })
		return w.audited(ctx, s.now(), "dead_letter.discard", "dead-letters/"+id, w.tables.sagas[letter.SagaID].Definition, letter.Audited(), nil)
	})
	if err != nil {
		return fmt.Errorf("delete dead letter %s: %w", id, err)
	}
	return nil
}

// ExpireDeadLetters deletes dead letters that are older than age, or beyond the keep newest, up to limit in total. An age of
// 0 expires none.
func (s *Store) ExpireDeadLetters(ctx context.Context, age time.Duration, keep, limit int) (deleted int, err error) {
	err = s.write(ctx, func(w *writing) error {
		rows := slices.SortedFunc(maps.Values(w.tables.deadLetters), func(a, b record.DeadLetter) int {
			return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), strings.Compare(a.ID, b.ID))
		})
		oldest := s.now().Add(-age)
		for i, row := range rows {
			aged := age > 0 && row.ReceivedAt.Before(oldest)
			if deleted == limit || !aged && len(rows)-i <= keep {
				break
			}
			w.delete(bucketDeadLetters, row.ID, func() { delete(w.tables.deadLetters, row.ID) })
			deleted++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete old dead letters: %w", err)
	}
	return deleted, nil
}
