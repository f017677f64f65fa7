package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// errNotLoaded means that decide returned an instance that does not follow from one it got: a defect.
var errNotLoaded = fmt.Errorf("%w: not loaded by this batch at this revision or an earlier one", record.ErrRejected)

// write is the second half of a transaction: it writes the changes.
type write struct {
	store   *Store
	batch   record.Batch
	before  sagas
	changes record.Changes
	fence   fence   // of the written rows; complete once the batch was sent
	claims  *claims // nil: all starts got their keys
	now     time.Time
}

func newWrite(s *Store, batch record.Batch, before sagas, changes record.Changes) *write {
	return &write{store: s, batch: batch, before: before, changes: changes, fence: fence{token: rand.Int64()}} //nolint:gosec // it must not repeat by chance, and is not a secret
}

// fenceColumns are the expected versions of rows, one array per column.
type fenceColumns struct {
	ids               []string
	revisions, tokens []int64
	transactions      []uint32
}

func newFenceColumns(n int) fenceColumns {
	return fenceColumns{
		ids: make([]string, 0, n), revisions: make([]int64, 0, n), tokens: make([]int64, 0, n), transactions: make([]uint32, 0, n),
	}
}

func (c *fenceColumns) add(id string, revision int64, f fence) {
	c.ids, c.revisions = append(c.ids, id), append(c.revisions, revision)
	c.tokens, c.transactions = append(c.tokens, f.token), append(c.transactions, f.transaction)
}

func (w *write) queue(b *pgx.Batch) error {
	created := make(map[string]bool, len(w.changes.Created))
	for i := range w.changes.Created {
		created[w.changes.Created[i].ID] = true
	}
	if err := w.queueCreated(b); err != nil {
		return err
	}
	queueChildren(b, w.changes.Created)
	if err := w.queueUpdated(b); err != nil {
		return err
	}
	if err := w.store.queueEntries(b, w.changes.Entries); err != nil {
		return err
	}
	w.store.queueEvents(b, w.changes.Events)
	if err := w.store.queueAudit(b, w.changes.Audit); err != nil {
		return err
	}
	w.queueAbandoned(b)
	queueResults(b, w.changes.Results)
	w.store.queueRedriven(b, w.changes.Redriven)
	queueDiscarded(b, w.changes.Discarded)
	queueWithdrawn(b, w.changes.Withdrawn)
	w.store.queueCommands(b, w.changes.Commands)
	w.queueKeys(b, created)
	w.store.queueDeadLetters(b, slices.Concat(w.batch.DeadLetters, w.changes.DeadLetters))
	queueAnswered(b, w.changes.Answered)
	if len(w.changes.Created) > 0 && len(w.changes.Updated) == 0 { // an update returns it, too
		b.Queue(`select pg_current_xact_id()::xid`).QueryRow(func(row pgx.Row) error { return row.Scan(&w.fence.transaction) })
	}
	return nil
}

func (w *write) queueCreated(b *pgx.Batch) error {
	created := w.changes.Created
	if len(created) == 0 {
		return nil
	}
	who, what := newIdentity(len(created)), newState(w.store.keys, len(created))
	claimed := make(map[string]*string, len(w.batch.Starts))
	for i := range w.batch.Starts {
		if start := &w.batch.Starts[i]; start.IdempotencyKey != "" {
			claimed[start.SagaID] = &start.IdempotencyKey
		}
	}
	idempotencyKeys := make([]*string, len(created))
	for i := range created {
		idempotencyKeys[i] = claimed[created[i].ID]
		if err := who.add(&created[i]); err != nil {
			return err
		}
		if err := what.add(&created[i], nil); err != nil {
			return err
		}
	}
	b.Queue(forRows(len(created), insertOneSaga, insertSagas),
		who.id, who.definition, who.version, who.key, who.priority, who.labels, who.traceParent, who.names, who.createdAt,
		who.startAt, what.deadlineAt, what.status, what.revision, what.data, what.updatedAt, what.finishedAt,
		what.wakeAt, what.reason, what.since, what.step, what.message, what.progress, w.fence.token, idempotencyKeys,
	).Exec(func(done pgconn.CommandTag) error { // nothing may be acknowledged that a trigger has left out
		if written := done.RowsAffected(); written != int64(len(created)) {
			return fmt.Errorf("the database has written %d of %d sagas: is there a trigger?", written, len(created))
		}
		return nil
	})
	return nil
}

// queueUpdated overwrites the rows of updated instances. It fails the transaction if another write came between.
func (w *write) queueUpdated(b *pgx.Batch) error {
	updated := w.changes.Updated
	if len(updated) == 0 {
		return nil
	}
	sorted := make([]*saga.Instance, len(updated)) // pointers: instances are large
	for i := range updated {
		sorted[i] = &updated[i]
	}
	slices.SortFunc(sorted, func(a, b *saga.Instance) int { return strings.Compare(a.ID, b.ID) })
	fences, what := newFenceColumns(len(updated)), newState(w.store.keys, len(updated))
	for _, in := range sorted {
		old, found := w.before.instances[in.ID]
		if !found || old.Revision > in.Revision {
			return fmt.Errorf("update saga %s to revision %d: %w", in.ID, in.Revision, errNotLoaded)
		}
		fences.add(in.ID, old.Revision, w.before.fences[in.ID])
		if err := what.add(in, old.Data); err != nil {
			return err
		}
	}
	b.Queue(forRows(len(updated), updateOneSaga, updateSagas),
		fences.ids, fences.revisions, what.deadlineAt, what.status, what.revision, what.data, what.updatedAt, what.finishedAt,
		what.wakeAt, what.reason, what.since, what.step, what.message, what.progress,
		fences.tokens, fences.transactions, w.fence.token, len(updated),
	).QueryRow(func(row pgx.Row) error { return row.Scan(nil, &w.fence.transaction) })
	return nil
}

// deleteBusinessKeys names the keys twice: whatever the order of its join, it reads no other keys.
const deleteBusinessKeys = `delete from business_keys b
	using (select unnest($1::text[]) as definition, unnest($2::text[]) as key, unnest($3::text[]) as saga_id) n
	where b.key = any($2::text[]) and b.definition = n.definition and b.key = n.key and b.saga_id = n.saga_id`

// queueKeys releases the keys of sagas that ended or were not created, and claims those of reopened ones if free. A reopened
// saga that found its key taken asks for it again with each of its writes.
func (w *write) queueKeys(b *pgx.Batch, created map[string]bool) {
	var unused []string
	var back []heldKey
	if w.claims != nil {
		unused, back = w.claims.unused(created)
	}
	if len(unused) > 0 {
		b.Queue(`delete from idempotency_keys where key = any($1)`, unused)
	}
	var again []heldKey
	for _, in := range slices.Concat(w.changes.Created, w.changes.Updated) {
		key := heldKey{businessKey{in.Definition, in.Key}, in.ID}
		switch {
		case in.Key == "":
		case in.Status.Terminal():
			back = append(back, key)
		case in.ReopenedFrom != "": // also at later steps: the holder may have ended meanwhile
			again = append(again, key)
		}
	}
	if len(back) > 0 {
		definitions, keys, sagas := keyColumns(back)
		b.Queue(deleteBusinessKeys, definitions, keys, sagas)
	}
	if len(again) > 0 {
		definitions, keys, sagas := keyColumns(again)
		b.Queue(`insert into business_keys (definition, key, saga_id)
			select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]) on conflict do nothing`, definitions, keys, sagas)
	}
}

func keyColumns(held []heldKey) (definitions, keys, sagas []string) {
	slices.SortFunc(held, func(a, b heldKey) int {
		return strings.Compare(a.definition+"\x00"+a.key, b.definition+"\x00"+b.key)
	})
	for _, h := range held {
		definitions, keys, sagas = append(definitions, h.definition), append(keys, h.key), append(sagas, h.sagaID)
	}
	return definitions, keys, sagas
}
