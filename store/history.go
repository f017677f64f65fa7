package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// decision is a row of saga_decisions: consecutive entries of one saga with the same time and actor.
type decision struct {
	first   *record.Entry
	entries [][]any
}

// decisionsOf groups consecutive entries.
func decisionsOf(keys *seal.Keys, entries []record.Entry) []decision {
	all := make([]decision, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		if len(all) == 0 || !all[len(all)-1].takes(e) {
			all = append(all, decision{first: e})
		}
		last := &all[len(all)-1]
		last.entries = append(last.entries, parts(keys, e))
	}
	return all
}

func (d *decision) takes(e *record.Entry) bool {
	return d.first.SagaID == e.SagaID && d.first.Seq+int64(len(d.entries)) == e.Seq && d.first.At.Equal(e.At) &&
		d.first.Actor == e.Actor
}

// parts returns an entry as an array without trailing empty members.
func parts(keys *seal.Keys, e *record.Entry) []any {
	switch {
	case len(e.Detail) > 0:
		return []any{e.Type, e.Step, e.Attempt, place{keys, e.SagaID}.detail(e.Seq, e.Detail)}
	case e.Attempt > 0:
		return []any{e.Type, e.Step, e.Attempt}
	case e.Step != "":
		return []any{e.Type, e.Step}
	default:
		return []any{e.Type}
	}
}

func (s *Store) queueEntries(b *pgx.Batch, entries []record.Entry) error {
	decisions := decisionsOf(s.keys, entries)
	n := len(decisions)
	if n == 0 {
		return nil
	}
	sagas, actors, rows := make([]string, n), make([]string, n), make([]string, n)
	seqs, ats := make([]int64, n), make([]time.Time, n)
	var texts texts
	for i := range decisions {
		first := decisions[i].first
		sagas[i], seqs[i], ats[i], actors[i] = first.SagaID, first.Seq, first.At, first.Actor
		var err error
		if rows[i], err = texts.encode(decisions[i].entries); err != nil {
			return fmt.Errorf("encode entry %d of saga %s: %w", first.Seq, first.SagaID, err)
		}
	}
	b.Queue(forRows(n, insertOneDecision, insertDecisions),
		sagas, seqs, ats, actors, rows)
	return nil
}

// History returns a saga's entries, oldest first. next is page.After of the next page, empty at the end. Errors:
// record.ErrSagaNotFound.
func (s *Store) History(
	ctx context.Context, sagaID string, page record.Page,
) (entries []record.Entry, next string, err error) {
	after, err := afterSeq(page)
	if err != nil {
		return nil, "", fmt.Errorf("read the history of saga %s: %w", sagaID, err)
	}
	if !storable(sagaID) {
		return nil, "", fmt.Errorf("read the history of a saga: %w", record.ErrSagaNotFound)
	}
	cut := newPageCut[record.Entry](page)
	// A row holds at least one entry, so the page needs at most that many rows.
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select sized.seq, sized.at, sized.actor, sized.entries from (
				select d.*, `+sizeOf("d.entries")+` as own, sum(`+sizeOf("d.entries")+`) over (order by d.seq) as total from (
					select * from saga_decisions where saga_id = $1 and seq >= coalesce(
						(select max(seq) from saga_decisions where saga_id = $1 and seq <= $2), 0)
					order by seq limit $3) d) sized
			where sized.total - sized.own < $4 order by sized.seq`, sagaID, after, decisionLimit(page), record.PageBytes)
		if err != nil {
			return err
		}
		return readRows(rows, (*decisionRow).columns, func(row *decisionRow, fault error) {
			for _, entry := range row.read(place{s.keys, sagaID}, fault) {
				if entry.Seq > after {
					cut.add(entry, len(row.entries)/row.count)
				}
			}
		})
	})
	if err != nil {
		return nil, "", fmt.Errorf("read the history of saga %s: %w", sagaID, err)
	}
	entries, next = cut.page(func(last *record.Entry) string { return strconv.FormatInt(last.Seq, 10) })
	if len(entries) == 0 && after == 0 { // every saga has a history from its start
		return nil, "", fmt.Errorf("read the history of saga %s: %w", sagaID, record.ErrSagaNotFound)
	}
	return entries, next, nil
}

// decisionLimit returns the number of rows that cover a page and the entry after it. The first row may hold only the
// last entry of the page before.
func decisionLimit(page record.Page) *int {
	if page.Limit <= 0 {
		return nil
	}
	return new(page.Limit + 2)
}

func afterSeq(page record.Page) (int64, error) {
	if page.After == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(page.After, 10, 64)
	if err != nil || seq < 0 {
		return 0, fmt.Errorf("read the page: %w", record.ErrPageNotFound)
	}
	return seq, nil
}

// entryUnreadable is the type of an entry that replaces an unreadable row.
const entryUnreadable saga.EntryType = "unreadable"

// decisionRow is a row of saga_decisions.
type decisionRow struct {
	seq     int64
	at      time.Time
	actor   string
	entries []byte
	count   int // of entries
}

func (r *decisionRow) columns() []any { return []any{&r.seq, &r.at, &r.actor, &r.entries} }

// maxUnreadableEntries is the number of unreadable entries of a row after which the rest of the row is not read. Each takes far more
// memory than its text.
const maxUnreadableEntries = 100

var errRestUnreadable = fmt.Errorf("the row has %d unreadable entries before this one, and its rest is not read", maxUnreadableEntries)

// read returns the entries of the row. An unreadable entry keeps its readable part.
func (r *decisionRow) read(at place, fault error) (entries []record.Entry) {
	if r.at = r.at.UTC(); !shown(r.at) {
		r.at = time.Time{}
	}
	broken := 0
	for parts := range elements(r.entries) {
		entry := record.Entry{SagaID: at.scope, Entry: saga.Entry{Seq: r.seq + int64(len(entries)), At: r.at, Actor: r.actor}}
		err := cmp.Or(fault, readParts(at, parts, &entry.Entry))
		if broken == maxUnreadableEntries {
			err = errRestUnreadable
		}
		if err != nil {
			broken++
			entry.Type = entryUnreadable
			entry.Detail = map[string]any{"error": unreadable("history entry", err).Error()}
		}
		if entries = append(entries, entry); broken > maxUnreadableEntries {
			break
		}
	}
	r.count = len(entries)
	return entries
}

// elements yields the elements of an array, one after the other. It yields nil in place of what it cannot read, and of an empty array.
func elements(array []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		decoder := json.NewDecoder(bytes.NewReader(array))
		if start, err := decoder.Token(); err != nil || start != json.Delim('[') || !decoder.More() {
			yield(nil)
			return
		}
		for decoder.More() {
			var element json.RawMessage
			if err := decoder.Decode(&element); err != nil {
				yield(nil)
				return
			}
			if !yield(element) {
				return
			}
		}
	}
}

// readParts decodes what parts encoded. Numbers stay text: a float64 would lose digits.
func readParts(at place, text []byte, entry *saga.Entry) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) == 0 {
		return errors.New("it has no type")
	}
	for i, into := range []any{&entry.Type, &entry.Step, &entry.Attempt} {
		if i < len(parts) {
			if err := json.Unmarshal(parts[i], into); err != nil {
				return err
			}
		}
	}
	if len(parts) < 4 {
		return nil
	}
	detail, err := at.keys.OpenJSON(at.scope, detailOf(entry.Seq), parts[3])
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(detail))
	decoder.UseNumber()
	return decoder.Decode(&entry.Detail)
}
