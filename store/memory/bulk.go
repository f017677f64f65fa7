package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// bulkItemRow is a target of a bulk action.
type bulkItemRow struct {
	Bulk string
	record.BulkItem
}

// tallied returns a bulk action with its tally.
func (t *tables) tallied(id string) record.BulkAction {
	a := t.bulks[id]
	a.Tally = record.BulkTally{Matched: len(t.bulkItems[id])}
	for _, item := range t.bulkItems[id] {
		switch item.Outcome {
		case record.BulkDone:
			a.Tally.Done++
		case record.BulkRefused:
			a.Tally.Refused++
		case record.BulkFailed:
			a.Tally.Failed++
		}
	}
	return a
}

func (t *tables) putBulkItem(row bulkItemRow) {
	if t.bulkItems[row.Bulk] == nil {
		t.bulkItems[row.Bulk] = make(map[string]record.BulkItem)
	}
	t.bulkItems[row.Bulk][row.Target] = row.BulkItem
}

func (w *writing) putBulk(action record.BulkAction) {
	w.put(bucketBulks, action.ID, action, func() { w.tables.bulks[action.ID] = action })
}

func (w *writing) putBulkItem(bulk string, item record.BulkItem) {
	row := bulkItemRow{bulk, item}
	w.put(bucketBulkItems, bulk+"/"+item.Target, row, func() { w.tables.putBulkItem(row) })
}

// CreateBulk stores a bulk action with its targets: the sagas that match now. CreatedAt becomes the store's time. If the
// idempotency key was used for the same request, CreateBulk returns that bulk action as it is now, which has another id.
// Errors: record.ErrBulkTooLarge, record.ErrIdempotencyConflict.
func (s *Store) CreateBulk(
	ctx context.Context, action record.BulkAction, targets record.BulkTargets,
) (created record.BulkAction, err error) {
	err = s.write(ctx, func(w *writing) error {
		if before := w.tables.bulkUnder(action.Kind, action.IdempotencyKey); before != "" {
			if created = w.tables.tallied(before); !bytes.Equal(created.RequestHash, action.RequestHash) {
				return record.ErrIdempotencyConflict
			}
			return nil
		}
		created = action
		created.Status, created.CreatedAt = record.BulkRunning, s.now()
		for _, id := range w.tables.bulkTargets(action.Kind, targets) {
			w.putBulkItem(action.ID, record.BulkItem{Target: id})
			created.Tally.Matched++
		}
		if created.Tally.Matched > record.MaxBulkTargets {
			return record.ErrBulkTooLarge
		}
		created.Settle(s.now())
		w.putBulk(created)
		return w.audited(ctx, s.now(), "bulk.create", "actions/"+action.ID, "", nil, created.Audited())
	})
	if err != nil {
		return record.BulkAction{}, fmt.Errorf("create a bulk action: %w", err)
	}
	return created, nil
}

// bulkUnder returns the id of the bulk action of an idempotency key; empty: there is none.
func (t *tables) bulkUnder(kind record.BulkKind, key string) string {
	for id, action := range t.bulks {
		if key != "" && action.Kind == kind && action.IdempotencyKey == key {
			return id
		}
	}
	return ""
}

func (t *tables) bulkTargets(kind record.BulkKind, targets record.BulkTargets) (ids []string) {
	switch {
	case targets.Sagas != nil:
		for id, row := range t.sagas {
			if selects(*targets.Sagas, &row.Instance) {
				ids = append(ids, id)
			}
		}
	case targets.DeadLetters != nil:
		for id, letter := range t.deadLetters {
			if t.selectsLetter(*targets.DeadLetters, &letter) {
				ids = append(ids, id)
			}
		}
	default:
		for _, id := range slices.Compact(slices.Sorted(slices.Values(targets.IDs))) {
			_, isSaga := t.sagas[id]
			letter, isLetter := t.deadLetters[id]
			if kind == record.BulkSagas && isSaga && t.covers(targets.Scope, id) ||
				kind == record.BulkDeadLetters && isLetter && t.covers(targets.Scope, letter.SagaID) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Bulk returns a bulk action. Errors: record.ErrBulkNotFound.
func (s *Store) Bulk(_ context.Context, id string) (record.BulkAction, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, found := s.tables.bulks[id]; !found {
		return record.BulkAction{}, fmt.Errorf("read bulk action: %w", record.ErrBulkNotFound)
	}
	return s.tables.tallied(id), nil
}

// Bulks returns bulk actions, newest first.
func (s *Store) Bulks(_ context.Context, page record.Page) (found []record.BulkAction, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(s.tables.bulks))) {
		if page.After != "" && id >= page.After || !page.Scope.Includes(s.tables.bulks[id].Scope) {
			continue
		}
		if len(found) == page.Limit {
			return found, found[len(found)-1].ID, nil
		}
		found = append(found, s.tables.tallied(id))
	}
	return found, "", nil
}

// BulkItems returns the targets of a bulk action by id: all, or those with one outcome. Errors: record.ErrBulkNotFound.
func (s *Store) BulkItems(
	_ context.Context, id string, outcome record.BulkOutcome, page record.Page,
) (found []record.BulkItem, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, there := s.tables.bulks[id]; !there {
		return nil, "", fmt.Errorf("list the items of a bulk action: %w", record.ErrBulkNotFound)
	}
	for _, item := range s.tables.sortedItems(id) {
		if item.Target <= page.After || outcome != "" && item.Outcome != outcome {
			continue
		}
		if len(found) == page.Limit {
			return found, found[len(found)-1].Target, nil
		}
		found = append(found, item)
	}
	return found, "", nil
}

func (t *tables) sortedItems(bulk string) []record.BulkItem {
	return slices.SortedFunc(maps.Values(t.bulkItems[bulk]), func(a, b record.BulkItem) int { return strings.Compare(a.Target, b.Target) })
}

// ControlBulk changes the status of a bulk action as control decides from its current tally. After an error of control
// nothing has changed. Errors: record.ErrBulkNotFound, record.ErrBulkNotApplicable.
func (s *Store) ControlBulk(
	ctx context.Context, id string, control func(*record.BulkAction) error,
) (action record.BulkAction, err error) {
	err = s.write(ctx, func(w *writing) error {
		if _, found := w.tables.bulks[id]; !found {
			return record.ErrBulkNotFound
		}
		action = w.tables.tallied(id)
		before := action.Status
		if err := control(&action); err != nil {
			return err
		}
		action.Settle(s.now())
		w.putBulk(action)
		return w.audited(ctx, s.now(), action.AuditedControl(), "actions/"+id, "", record.AuditedStatus(before), record.AuditedStatus(action.Status))
	})
	if err != nil {
		return record.BulkAction{}, fmt.Errorf("change bulk action %s: %w", id, err)
	}
	return action, nil
}

// ClaimBulks returns the running bulk actions. Only one process has the store, so all belong to this holder.
func (s *Store) ClaimBulks(_ context.Context, _ string, _ time.Duration) (claimed []record.BulkAction, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, action := range s.tables.bulks {
		if action.Status == record.BulkRunning {
			claimed = append(claimed, s.tables.tallied(id))
		}
	}
	slices.SortFunc(claimed, func(a, b record.BulkAction) int { return cmp.Compare(a.ID, b.ID) })
	return claimed, nil
}

// RemainingBulk returns targets without an outcome, by id.
func (s *Store) RemainingBulk(_ context.Context, id string, limit int) (targets []string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, item := range s.tables.sortedItems(id) {
		if item.Outcome == "" && len(targets) < limit {
			targets = append(targets, item.Target)
		}
	}
	return targets, nil
}

// bulkOver returns the targets of the batch that must not be decided.
func (t *transaction) bulkOver() map[record.BulkRef]bool {
	over := make(map[record.BulkRef]bool)
	for _, ref := range t.batch.Bulk {
		item, is := t.writing.tables.bulkItems[ref.Bulk][ref.Target]
		if t.writing.tables.bulks[ref.Bulk].Status != record.BulkRunning || !is || item.Outcome != "" {
			over[ref] = true
		}
	}
	return over
}

// lettersGone returns the dead letters of the batch that do not exist.
func (t *transaction) lettersGone() map[string]bool {
	gone := make(map[string]bool)
	for _, id := range t.batch.Redrives {
		if _, found := t.writing.tables.deadLetters[id]; !found {
			gone[id] = true
		}
	}
	return gone
}

// putResults stores the outcomes of targets.
func (t *transaction) putResults(results []record.BulkResult) {
	for _, r := range results {
		t.putBulkItem(r.Bulk, record.BulkItem{Target: r.Target, Outcome: r.Outcome, Message: r.Message, At: t.now()})
	}
}
