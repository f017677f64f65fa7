package memory

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Errors of decisions that no store accepts: defects.
var (
	errStored    = fmt.Errorf("%w: stored already", record.ErrRejected)
	errNotLoaded = fmt.Errorf("%w: not loaded by this batch at this revision or an earlier one", record.ErrRejected)
)

// Transact runs one batch: it loads the batch's sagas, calls decide, and writes the changes. decide is called once and
// must not call the store. After an error nothing is written, unless writing the file failed: then the outcome is
// unknown.
//
// Of two claims in one batch on the same idempotency key, the first wins. The second finds the first like any stored
// saga, but with a zero Instance, since that saga is not created yet.
func (s *Store) Transact(
	ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error),
) error {
	err := s.write(ctx, func(w *writing) error {
		t := &transaction{Store: s, writing: w, batch: batch, confirmed: make(map[string]bool, len(batch.Confirmed))}
		for _, id := range batch.Confirmed {
			t.confirmed[id.String()] = true
		}
		loaded := t.load()
		changes, err := decide(loaded)
		if err != nil {
			return err
		}
		return t.change(loaded, changes)
	})
	if err != nil {
		return fmt.Errorf("transact %d sagas and %d starts: %w", len(batch.SagaIDs), len(batch.Starts), err)
	}
	return nil
}

// transaction is a running batch.
type transaction struct {
	*Store
	*writing
	batch     record.Batch
	confirmed map[string]bool // command ids
}

func (t *transaction) load() record.Loaded {
	loaded := record.Loaded{
		Now:         t.now(),
		Instances:   make(map[string]saga.Instance, len(t.batch.SagaIDs)),
		Unreadable:  make(map[string]record.StoredSaga),
		Unpublished: make(map[string]map[string]bool),
		HeldBack:    make(map[string]map[string]bool),
		Starts:      t.claim(),
		Newer:       t.newer(),
		BulkOver:    t.bulkOver(),
		LettersGone: t.lettersGone(),
	}
	for _, id := range t.batch.SagaIDs {
		switch row, found := t.writing.tables.sagas[id]; {
		case found && row.Unreadable != "":
			loaded.Unreadable[id] = row.stored()
		case found:
			loaded.Instances[id] = record.Clone(row.Instance)
		}
	}
	for _, id := range t.batch.WithOutbox {
		for command, row := range t.writing.tables.outbox[id] {
			if row.Delivered || t.confirmed[command] {
				continue
			}
			note(loaded.Unpublished, id, command)
			if row.neverSent() {
				note(loaded.HeldBack, id, command)
			}
		}
	}
	return loaded
}

func note(in map[string]map[string]bool, sagaID, commandID string) {
	if in[sagaID] == nil {
		in[sagaID] = make(map[string]bool)
	}
	in[sagaID][commandID] = true
}

func (t *transaction) change(loaded record.Loaded, changes record.Changes) error {
	for _, in := range changes.Created {
		if _, found := t.writing.tables.sagas[in.ID]; found {
			return fmt.Errorf("create saga %s: %w", in.ID, errStored)
		}
		if err := t.putSaga(in); err != nil {
			return err
		}
	}
	for _, in := range changes.Updated {
		before, found := loaded.Instances[in.ID]
		if !found || before.Revision > in.Revision {
			return fmt.Errorf("update saga %s to revision %d: %w", in.ID, in.Revision, errNotLoaded)
		}
		if err := t.putSaga(in); err != nil {
			return err
		}
	}
	if err := t.putEntries(changes.Entries); err != nil {
		return err
	}
	t.putEvents(changes.Events)
	for _, entry := range changes.Audit {
		if err := t.putAudit(t.now(), entry); err != nil {
			return err
		}
	}
	if err := t.abandon(loaded.Now, changes.Abandoned); err != nil {
		return err
	}
	t.withdraw(changes.Withdrawn)
	t.withdraw(changes.Answered)
	if err := t.putCommands(loaded.Now, changes.Commands); err != nil {
		return err
	}
	t.putResults(changes.Results)
	t.putRedriven(loaded.Now, changes.Redriven)
	t.discard(changes.Discarded)
	t.settleOutbox(changes)
	t.putKeys(loaded, changes)
	t.putDeadLetters(loaded.Now, slices.Concat(t.batch.DeadLetters, changes.DeadLetters))
	return nil
}

func (t *transaction) putSaga(in saga.Instance) error {
	row, err := kept(in)
	if err != nil {
		return err
	}
	t.put(bucketSagas, row.ID, row, func() { t.writing.tables.putSaga(row) })
	return nil
}

func (t *transaction) putEntries(entries []record.Entry) error {
	seen := make(map[string]bool, len(entries))
	for _, entry := range entries {
		row := entryRow{
			SagaID: entry.SagaID, Seq: entry.Seq, At: micro(entry.At), Type: entry.Type, Step: entry.Step,
			Attempt: entry.Attempt, Actor: entry.Actor,
		}
		if len(entry.Detail) > 0 {
			detail, err := saga.EncodeJSON(entry.Detail)
			if err != nil {
				return fmt.Errorf("encode entry %d of saga %s: %w", entry.Seq, entry.SagaID, err)
			}
			row.Detail = detail
		}
		key := row.key()
		if kept := t.writing.tables.history[row.SagaID]; seen[key] || len(kept) > 0 && kept[len(kept)-1].Seq >= row.Seq {
			return fmt.Errorf("add entry %s of saga %s: %w", strconv.FormatInt(row.Seq, 10), row.SagaID, errStored)
		}
		seen[key] = true
		t.put(bucketHistory, key, row, func() { t.writing.tables.putEntry(row) })
	}
	return nil
}
