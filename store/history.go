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

func queueEntries(b *pgx.Batch, entries []record.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	n := len(entries)
	sagas, types, steps, actors := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	seqs, attempts, ats, details := make([]int64, n), make([]int32, n), make([]time.Time, n), make([]*string, n)
	for i, entry := range entries {
		sagas[i], types[i], steps[i], actors[i] = entry.SagaID, string(entry.Type), entry.Step, entry.Actor
		seqs[i], attempts[i], ats[i] = entry.Seq, int32(entry.Attempt), entry.At
		if len(entry.Detail) > 0 {
			detail, err := encodeJSON(entry.Detail)
			if err != nil {
				return fmt.Errorf("encode entry %d of saga %s: %w", entry.Seq, entry.SagaID, err)
			}
			text := string(detail)
			details[i] = &text
		}
	}
	b.Queue(`insert into saga_history (saga_id, seq, at, type, step, attempt, actor, detail)
		select n.saga_id, n.seq, n.at, n.type, n.step, n.attempt, n.actor, n.detail::json
		from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::text[])
			as n (saga_id, seq, at, type, step, attempt, actor, detail)`,
		sagas, seqs, ats, types, steps, attempts, actors, details)
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
