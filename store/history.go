package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// decision is a row of saga_decisions: the entries of one saga that were written at the same time by the same actor.
type decision struct {
	first   *record.Entry
	entries [][]any
}

// decisionsOf puts entries that follow one another together.
func decisionsOf(entries []record.Entry) []decision {
	all := make([]decision, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		if len(all) == 0 || !all[len(all)-1].takes(e) {
			all = append(all, decision{first: e})
		}
		last := &all[len(all)-1]
		last.entries = append(last.entries, parts(e))
	}
	return all
}

func (d *decision) takes(e *record.Entry) bool {
	return d.first.SagaID == e.SagaID && d.first.Seq+int64(len(d.entries)) == e.Seq && d.first.At.Equal(e.At) &&
		d.first.Actor == e.Actor
}

// parts is an entry as an array, without what is empty at its end.
func parts(e *record.Entry) []any {
	switch {
	case len(e.Detail) > 0:
		return []any{e.Type, e.Step, e.Attempt, e.Detail}
	case e.Attempt > 0:
		return []any{e.Type, e.Step, e.Attempt}
	case e.Step != "":
		return []any{e.Type, e.Step}
	default:
		return []any{e.Type}
	}
}

func queueEntries(b *pgx.Batch, entries []record.Entry) error {
	decisions := decisionsOf(entries)
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
	queueRows(b, n, `insert into saga_decisions (saga_id, seq, at, actor, entries)
		select unnest($1::text[]), unnest($2::bigint[]), unnest($3::timestamptz[]), unnest($4::text[]),
			unnest($5::text[])::json`,
		sagas, seqs, ats, actors, rows)
	return nil
}

// History returns a saga's entries, oldest first. page.After is the seq of an entry. Errors: record.ErrSagaNotFound.
func (s *Store) History(ctx context.Context, sagaID string, page record.Page) ([]record.Entry, error) {
	after, err := afterSeq(page)
	if err != nil {
		return nil, fmt.Errorf("read the history of saga %s: %w", sagaID, err)
	}
	if !storable(sagaID) {
		return nil, fmt.Errorf("read the history of a saga: %w", record.ErrSagaNotFound)
	}
	rows, err := s.pool.Query(ctx, `select saga_id, seq, at, type, step, attempt, actor, detail from saga_history
		where saga_id = $1 and seq > $2 order by seq limit $3`, sagaID, after, rowLimit(page.Limit))
	if err != nil {
		return nil, fmt.Errorf("read the history of saga %s: %w", sagaID, err)
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("read the history of saga %s: %w", sagaID, err)
	}
	if len(entries) == 0 && after == 0 { // a saga has a history from its first moment on
		return nil, fmt.Errorf("read the history of saga %s: %w", sagaID, record.ErrSagaNotFound)
	}
	return entries, nil
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

func scanEntry(row pgx.CollectableRow) (record.Entry, error) {
	var entry record.Entry
	var detail []byte
	err := row.Scan(&entry.SagaID, &entry.Seq, &entry.At, &entry.Type, &entry.Step, &entry.Attempt, &entry.Actor, &detail)
	if err != nil {
		return entry, err
	}
	entry.At = entry.At.UTC()
	entry.Detail, err = decodeDetail(detail)
	if err != nil {
		return entry, fmt.Errorf("decode entry %d of saga %s: %w", entry.Seq, entry.SagaID, err)
	}
	return entry, nil
}

// decodeDetail keeps numbers as the text that they were: a float64 would lose digits.
func decodeDetail(text []byte) (map[string]any, error) {
	if text == nil {
		return nil, nil
	}
	var detail map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return detail, decoder.Decode(&detail)
}
