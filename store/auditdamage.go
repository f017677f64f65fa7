package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	// unreadableAction is the action of an entry that stands for one that SQL has damaged.
	unreadableAction = "audit.unreadable"
	// unreadableActor is its actor: the program itself.
	unreadableActor = "orchestrator"

	// maxIndexed bounds an actor and a target, so that they fit their indexes. The API accepts far shorter ones.
	maxIndexed = 2_000
	// maxUnreadable bounds the text of a damaged entry that is kept, in bytes.
	maxUnreadable = 64 << 10
)

// auditBacklog reads the time of the oldest entry that is not sealed, and counts the last ones that stand for a damaged one.
const auditBacklog = `select (select min(at) from (
			(select at from audit_waiting order by id limit 100) union all (select at from audit where seq is null order by id limit 100)) w
			where at` + usable + `),
		(select count(*) from (select action from audit where actor = $2 and seq is not null order by seq desc limit $1) a where action = $3)`

// unreadableEntry stands for a damaged entry in the chain, so that it holds up no other and is not lost unseen.
func unreadableEntry(row *waitingRow, text []byte, fault error) record.AuditEntry {
	shown := cleaned(string(text[:min(len(text), maxUnreadable)]))
	before, err := saga.EncodeJSON(map[string]any{"stored": shown, "bytes": len(text), "fault": cleaned(fault.Error())})
	if err != nil {
		before = nil // impossible: texts and numbers can be encoded
	}
	return record.AuditEntry{
		At: row.readAt.UTC(), Actor: unreadableActor, Action: unreadableAction, Target: fmt.Sprintf("audit_waiting/%d", row.id), Before: before,
	}
}

// decoded returns an entry as it was queued.
func (w *waitingEntry) decoded(text []byte, row *waitingRow) (record.AuditEntry, error) {
	if err := json.Unmarshal(text, w); err != nil {
		return record.AuditEntry{}, err
	}
	e := record.AuditEntry{
		At: row.at, Actor: w.Actor, KeyID: w.KeyID, Action: w.Action, Target: w.Target, Definition: w.Definition, Reason: w.Reason,
		RequestID: w.RequestID, Before: w.Before, After: w.After,
	}
	if w.At != nil {
		e.At = w.At.UTC()
	}
	switch {
	case e.At.IsZero() || !shown(e.At):
		return e, errOutOfRange
	case len(e.Actor) > maxIndexed || len(e.Target) > maxIndexed:
		return e, fmt.Errorf("an actor or a target of more than %d bytes", maxIndexed)
	case strings.ContainsRune(e.Actor+e.KeyID+e.Action+e.Target+e.Definition+e.Reason+e.RequestID, 0):
		return e, errors.New("a text with a NUL")
	}
	return e, nil
}

// openAudit opens the values of entries. One that no key opens stays as it is stored, unless the store lacks a key: then it may
// be whole. One that nests too deeply becomes a text.
func (s *Store) openAudit(ctx context.Context, tx pgx.Tx, entries []record.AuditEntry) error {
	lacking := sync.OnceValue(func() error { return s.lackedKeys(ctx, tx) })
	for i := range entries {
		e := &entries[i]
		for field, value := range map[string]*json.RawMessage{sealedBefore: &e.Before, sealedAfter: &e.After} {
			plain, err := s.keys.OpenJSON(e.Target, field, *value)
			switch {
			case err == nil:
				*value = plain
			case lacking() != nil:
				return lacking()
			}
			*value = showable(*value)
		}
	}
	return nil
}

// cutIndexed cuts the texts of an entry of the version before that do not fit their indexes, as setSeals does.
func cutIndexed(e *record.AuditEntry) {
	for _, text := range []*string{&e.Actor, &e.Target} {
		if len(*text) > maxIndexed {
			*text = string([]rune(*text)[:min(len([]rune(*text)), maxIndexed/4)])
		}
	}
}
