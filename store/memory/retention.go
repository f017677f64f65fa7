package memory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// HoldLease takes or renews a lease. It returns false while another holder has it.
func (s *Store) HoldLease(ctx context.Context, name, holder string, duration time.Duration) (held bool, err error) {
	err = s.write(ctx, func(w *writing) error {
		now := s.now()
		if known := w.tables.leases[name]; known.holder == "" || known.holder == holder || known.until.Before(now) {
			held = true
			w.tables.leases[name] = lease{holder, now.Add(duration)}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("take the lease %s: %w", name, err)
	}
	return held, nil
}

// Expiry returns what a rule selects now.
func (s *Store) Expiry(_ context.Context, rule record.RetentionRule) (record.Expiry, error) {
	found := record.Expiry{Definition: rule.Definition, Statuses: rule.Statuses}
	if rule.Age > 0 {
		found.Before = s.now().Add(-rule.Age)
	}
	if rule.Count <= 0 {
		return found, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	newer := 0
	for _, id := range slices.Backward(s.tables.ids) {
		row := s.tables.sagas[id]
		if row.Definition != rule.Definition || !slices.Contains(rule.Statuses, row.Status) {
			continue
		}
		if newer == rule.Count {
			found.Through = id
			break
		}
		newer++
	}
	return found, nil
}

// Expired returns up to limit ids of sagas of one status that the expiry selects, oldest first. Some may need attention.
// next is the position of the next page, empty at the end.
func (s *Store) Expired(
	_ context.Context, expiry record.Expiry, status saga.Status, after string, limit int,
) (ids []string, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, found := slices.BinarySearch(s.tables.ids, after)
	if found {
		at++
	}
	last := expiry.Last()
	for _, id := range s.tables.ids[at:] {
		if id > last {
			break
		}
		row := s.tables.sagas[id]
		if row.Definition != expiry.Definition || row.Status != status || row.FinishedAt.IsZero() || !expiry.Selects(id, row.FinishedAt) {
			continue
		}
		if ids = append(ids, id); len(ids) == limit {
			return ids, id, nil
		}
	}
	return ids, "", nil
}

// WithHistory returns those of the sagas that nothing keeps from deletion, with their histories, without those beyond record.PageBytes.
// It returns at least one, if there is one.
func (s *Store) WithHistory(_ context.Context, ids []string) (found []record.SagaWithHistory, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	bytes := 0
	for _, id := range ids {
		row, stored := s.tables.sagas[id]
		if !stored || s.tables.kept(row) {
			continue
		}
		one := record.SagaWithHistory{StoredSaga: row.stored(), Version: row.version()}
		bytes += len(row.Data)
		for _, kept := range s.tables.history[id] {
			entry, err := kept.entry()
			if err != nil {
				return nil, fmt.Errorf("read the history of saga %s: %w", id, err)
			}
			bytes += len(kept.Detail)
			one.History = append(one.History, entry)
		}
		if len(found) > 0 && bytes > record.PageBytes {
			break
		}
		found = append(found, one)
	}
	return found, nil
}

// version changes with every write.
func (r sagaRow) version() string { return r.ID + "/" + strconv.FormatInt(r.Revision, 10) }

// DeleteSagas deletes sagas with their histories, and returns how many, and how many idempotency keys went with them.
func (s *Store) DeleteSagas(ctx context.Context, deletion record.Deletion) (sagas, keys int, err error) {
	err = s.write(ctx, func(w *writing) error {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(deletion.IDs))) {
			row, found := w.tables.sagas[id]
			if !found || row.FinishedAt.IsZero() || row.Attention != nil || row.Definition != deletion.Definition ||
				!slices.Contains(deletion.Statuses, row.Status) || !deletion.Selects(id, row.FinishedAt) ||
				deletion.Versions != nil && !slices.Contains(deletion.Versions, row.version()) || w.tables.kept(row) {
				continue
			}
			w.deleteSaga(id)
			sagas++
			if s.releaseKey(w, row, deletion.KeepKeys) {
				keys++
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("delete %d old sagas: %w", len(deletion.IDs), err)
	}
	return sagas, keys, nil
}

// kept reports whether retention cannot delete a saga yet, whatever its state.
func (t *tables) kept(row sagaRow) bool {
	return t.parentStands(row) || t.childRuns(row) || t.awaitsPublication(row.ID)
}

// parentStands reports whether the saga is a child whose parent is still there.
func (t *tables) parentStands(row sagaRow) bool {
	if row.Parent == nil {
		return false
	}
	_, stands := t.sagas[row.Parent.Saga]
	return stands
}

// childRuns reports whether the saga has a child that has not ended, and may still report to it.
func (t *tables) childRuns(row sagaRow) bool {
	return slices.ContainsFunc(row.Steps, func(s saga.StepState) bool {
		return slices.ContainsFunc(s.Children, func(id string) bool {
			child, stored := t.sagas[id]
			return stored && child.FinishedAt.IsZero()
		})
	})
}

// awaitsPublication reports whether a command of the saga is still in the outbox.
func (t *tables) awaitsPublication(id string) bool {
	for _, row := range t.outbox[id] {
		if !row.Delivered {
			return true
		}
	}
	return false
}

func (w *writing) deleteSaga(id string) {
	for _, row := range w.tables.outbox[id] {
		w.deleteOutbox(row.Command.ID)
	}
	for _, entry := range w.tables.history[id] {
		w.delete(bucketHistory, entry.key(), func() {})
	}
	w.delete(bucketSagas, id, func() { w.tables.deleteSaga(id) })
}

// releaseKey deletes the idempotency key of a deleted saga, or remembers when the saga ended. It returns true if the key is
// deleted.
func (s *Store) releaseKey(w *writing, row sagaRow, keep time.Duration) bool {
	key, keyed := w.tables.keyOf[row.ID]
	if !keyed {
		return false
	}
	if keep > 0 && row.FinishedAt.Add(keep).Before(s.now()) {
		w.delete(bucketClaims, key, func() { w.tables.deleteClaim(key) })
		return true
	}
	claim := w.tables.claims[key]
	claim.EndedAt = row.FinishedAt
	w.put(bucketClaims, key, claim, func() { w.tables.putClaim(key, claim) })
	return false
}

// ExpireBulk deletes targets of bulk actions that were finished before age, up to limit, and those actions that have none left.
// It returns the number of targets.
func (s *Store) ExpireBulk(ctx context.Context, age time.Duration, limit int) (deleted int, err error) {
	err = s.write(ctx, func(w *writing) error {
		oldest := s.now().Add(-age)
		for id, action := range w.tables.bulks {
			if action.FinishedAt.IsZero() || !action.FinishedAt.Before(oldest) {
				continue
			}
			items := w.tables.sortedItems(id)
			now := items[:min(len(items), limit-deleted)]
			for _, item := range now {
				w.delete(bucketBulkItems, id+"/"+item.Target, func() { delete(w.tables.bulkItems[id], item.Target) })
			}
			if deleted += len(now); len(now) == len(items) {
				w.delete(bucketBulks, id, func() { delete(w.tables.bulks, id); delete(w.tables.bulkItems, id) })
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete old bulk actions: %w", err)
	}
	return deleted, nil
}

// ExpireKeys deletes idempotency keys of deleted sagas that ended longer ago than age, up to limit.
func (s *Store) ExpireKeys(ctx context.Context, age time.Duration, limit int) (deleted int, err error) {
	err = s.write(ctx, func(w *writing) error {
		oldest := s.now().Add(-age)
		for key, row := range w.tables.claims {
			if deleted == limit {
				break
			}
			if !row.EndedAt.IsZero() && row.EndedAt.Before(oldest) {
				w.delete(bucketClaims, key, func() { w.tables.deleteClaim(key) })
				deleted++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete old idempotency keys: %w", err)
	}
	return deleted, nil
}
