package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	insertWaiting = `insert into audit_waiting (entries) values ($1::json)`

	// takeWaiting takes the first rows: at most a number of them and, unless it is one row, of bytes. An entry counts as some
	// bytes, however small it is.
	takeWaiting = `delete from audit_waiting w using (
			select sized.id, sized.bytes from (select id, bytes, sum(bytes) over (order by id) - bytes as before
				from (select id, coalesce(octet_length(entries::text), 0) + 400 * case when json_typeof(entries) = 'array' then json_array_length(entries) else 1 end as bytes
					from audit_waiting order by id limit $1) first) sized
			where sized.before < $2) taken
		where w.id = taken.id
		returning w.id, w.at, clock_timestamp() as read_at, w.entries, taken.bytes`

	insertSealed = `insert into audit (at, actor, key_id, action, target, definition, reason, request_id, before, after, seq, hash)
		select unnest($1::timestamptz[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]), unnest($6::text[]),
			unnest($7::text[]), unnest($8::text[]), unnest($9::text[])::json, unnest($10::text[])::json, unnest($11::bigint[]), unnest($12::bytea[])`

	waitingRows  = 200
	waitingBytes = 4 << 20
	// maxWaiting is the number of entries in a row, far more than a transaction has.
	maxWaiting = 20_000
)

// waitingEntry is an entry in a row of audit_waiting. Before and After are sealed with the payload key, if there is one.
type waitingEntry struct {
	At         *time.Time      `json:"at,omitempty"` // nil: that of the row
	Actor      string          `json:"actor"`
	KeyID      string          `json:"key_id,omitempty"`
	Action     string          `json:"action"`
	Target     string          `json:"target"`
	Definition string          `json:"definition,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	RequestID  string          `json:"request_id,omitempty"`
	Before     json.RawMessage `json:"before,omitempty"`
	After      json.RawMessage `json:"after,omitempty"`
}

// queueAudit stores audit entries.
func (s *Store) queueAudit(b *pgx.Batch, entries []record.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	waiting := make([]waitingEntry, len(entries))
	for i := range entries {
		e := &entries[i]
		target := cleaned(e.Target)
		waiting[i] = waitingEntry{
			At: nullable(e.At), Actor: cleaned(e.Actor), KeyID: cleaned(e.KeyID), Action: cleaned(e.Action), Target: target,
			Definition: cleaned(e.Definition), Reason: cleaned(e.Reason), RequestID: cleaned(e.RequestID),
			Before: s.keys.JSON(target, sealedBefore, e.Before), After: s.keys.JSON(target, sealedAfter, e.After),
		}
	}
	text, err := saga.EncodeJSON(waiting)
	if err != nil {
		return fmt.Errorf("encode audit entries: %w", err)
	}
	b.Queue(insertWaiting, string(text))
	return nil
}

// waitingRow is a row of audit_waiting.
type waitingRow struct {
	id      int64
	at      time.Time // zero: out of range
	readAt  time.Time
	entries []byte
}

// waiting takes rows of entries that are not sealed yet, in their order. more reports that there may be others.
func (s *Store) waiting(ctx context.Context, tx pgx.Tx) (entries []record.AuditEntry, more bool, err error) {
	rows, err := tx.Query(ctx, `with taken as (`+takeWaiting+`) select id, at, read_at, entries, bytes from taken order by id`, waitingRows, waitingBytes)
	if err != nil {
		return nil, false, err
	}
	bytes := int64(0)
	taken, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r waitingRow, err error) {
		var counted int64
		err = row.Scan(&r.id, timeInto{&r.at}, &r.readAt, &r.entries, &counted)
		bytes += counted
		return r, err
	})
	if err != nil {
		return nil, false, err
	}
	for i := range taken {
		entries = append(entries, taken[i].read()...)
	}
	return entries, len(taken) == waitingRows || bytes >= waitingBytes, s.openAudit(ctx, tx, entries)
}

// read returns the entries of the row. Those that SQL has damaged are replaced.
func (r *waitingRow) read() []record.AuditEntry {
	var texts []json.RawMessage
	err := json.Unmarshal(r.entries, &texts)
	if err == nil && len(texts) > maxWaiting {
		err = fmt.Errorf("it has %d entries, more than %d", len(texts), maxWaiting)
	}
	if err != nil {
		return []record.AuditEntry{unreadableEntry(r, r.entries, err)}
	}
	entries := make([]record.AuditEntry, len(texts))
	for i, text := range texts {
		var err error
		if entries[i], err = new(waitingEntry).decoded(text, r); err != nil {
			entries[i] = unreadableEntry(r, text, err)
		}
	}
	return entries
}

// storeSealed stores entries that have their seq and hash.
func (s *Store) storeSealed(ctx context.Context, tx pgx.Tx, entries []record.AuditEntry) error {
	n := len(entries)
	texts := make([][]string, 7)
	for i := range texts {
		texts[i] = make([]string, n)
	}
	ats, before, after, seqs, hashes := make([]time.Time, n), make([]*string, n), make([]*string, n), make([]int64, n), make([][]byte, n)
	for i := range entries {
		e := &entries[i]
		for column, text := range []string{e.Actor, e.KeyID, e.Action, e.Target, e.Definition, e.Reason, e.RequestID} {
			texts[column][i] = text
		}
		ats[i], seqs[i], hashes[i] = e.At, e.Seq, e.Hash
		before[i] = jsonText(s.keys.JSON(e.Target, sealedBefore, e.Before))
		after[i] = jsonText(s.keys.JSON(e.Target, sealedAfter, e.After))
	}
	_, err := tx.Exec(ctx, insertSealed, ats, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], before, after, seqs, hashes)
	return err
}

func jsonText(text []byte) *string {
	if text == nil {
		return nil
	}
	return new(string(text))
}
