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
	first   record.Entry
	count   int64
	entries bytes.Buffer // a JSON array, without its end
}

// decisionsOf puts entries that follow one another together.
func decisionsOf(entries []record.Entry) ([]*decision, error) {
	var all []*decision
	var last *decision
	for i := range entries {
		if last == nil || !last.takes(&entries[i]) {
			last = &decision{first: entries[i]}
			all = append(all, last)
		}
		if err := last.add(&entries[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (d *decision) takes(e *record.Entry) bool {
	return d.first.SagaID == e.SagaID && d.first.Seq+d.count == e.Seq && d.first.At.Equal(e.At) && d.first.Actor == e.Actor
}

// add writes an entry as an array, without what is empty at its end.
func (d *decision) add(e *record.Entry) error {
	parts := []any{e.Type}
	switch {
	case len(e.Detail) > 0:
		parts = append(parts, e.Step, e.Attempt, e.Detail)
	case e.Attempt > 0:
		parts = append(parts, e.Step, e.Attempt)
	case e.Step != "":
		parts = append(parts, e.Step)
	}
	text, err := encodeJSON(parts)
	if err != nil {
		return fmt.Errorf("encode entry %d of saga %s: %w", e.Seq, e.SagaID, err)
	}
	separator := byte(',')
	if d.count == 0 {
		separator = '['
	}
	d.entries.WriteByte(separator)
	d.entries.Write(text)
	d.count++
	return nil
}

func queueEntries(b *pgx.Batch, entries []record.Entry) error {
	decisions, err := decisionsOf(entries)
	if err != nil || len(decisions) == 0 {
		return err
	}
	n := len(decisions)
	sagas, actors, texts := make([]string, n), make([]string, n), make([]string, n)
	seqs, ats := make([]int64, n), make([]time.Time, n)
	for i, d := range decisions {
		sagas[i], seqs[i], ats[i], actors[i] = d.first.SagaID, d.first.Seq, d.first.At, d.first.Actor
		texts[i] = d.entries.String() + "]"
	}
	b.Queue(`insert into saga_decisions (saga_id, seq, at, actor, entries)
		select n.saga_id, n.seq, n.at, n.actor, n.entries::json
		from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[])
			as n (saga_id, seq, at, actor, entries)`, sagas, seqs, ats, actors, texts)
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
