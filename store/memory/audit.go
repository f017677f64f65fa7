package memory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// auditChainKey is the key of the chain in its bucket.
const auditChainKey = "chain"

// putAudit seals an entry and adds it.
func (w *writing) putAudit(now time.Time, entry record.AuditEntry) error {
	if entry.At.IsZero() {
		entry.At = now
	}
	entry.At = micro(entry.At)
	if w.chain == nil {
		w.chain = new(w.tables.auditChain)
	}
	sealed := []record.AuditEntry{entry}
	if err := w.chain.Chained(sealed); err != nil {
		return err
	}
	entry, chain := sealed[0], *w.chain
	w.put(bucketAudit, auditKey(entry.Seq), entry, func() { w.tables.audit = append(w.tables.audit, entry) })
	w.putChain(chain)
	return nil
}

func (w *writing) putChain(chain record.AuditChain) {
	w.put(bucketAuditChain, auditChainKey, chain, func() { w.tables.auditChain = chain })
}

// auditKey keeps the order of the entries in the file.
func auditKey(seq int64) string { return fmt.Sprintf("%019d", seq) }

// audited adds the entry of a change, if the context has a caller.
func (w *writing) audited(ctx context.Context, now time.Time, action, target, definition string, before, after any) error {
	caller, known := record.CallerOf(ctx)
	if !known {
		return nil
	}
	entry, err := record.Audited(caller, action, target, before, after)
	if err != nil {
		return err
	}
	entry.Definition = definition
	return w.putAudit(now, entry)
}

// Audit returns audit entries, newest first. next is page.After of the next page, empty at the end.
func (s *Store) Audit(_ context.Context, filter record.AuditFilter, page record.Page) (found []record.AuditEntry, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var before int64
	if page.After != "" {
		if before, err = strconv.ParseInt(page.After, 10, 64); err != nil {
			return nil, "", fmt.Errorf("list the audit log: %w", record.ErrPageNotFound)
		}
	}
	for _, entry := range slices.Backward(s.tables.audit) {
		if page.After != "" && entry.Seq >= before || !selectsEntry(filter, &entry) {
			continue
		}
		if len(found) == page.Limit {
			return found, strconv.FormatInt(found[len(found)-1].Seq, 10), nil
		}
		found = append(found, entry)
	}
	return found, "", nil
}

func selectsEntry(filter record.AuditFilter, e *record.AuditEntry) bool {
	return filter.Scope.Covers(e.Definition) &&
		(filter.Actor == nil || e.Actor == *filter.Actor) &&
		(filter.Target == nil || slices.Contains(record.AuditTargets(*filter.Target), e.Target)) &&
		(filter.Since == nil || !e.At.Before(*filter.Since)) && (filter.Until == nil || !e.At.After(*filter.Until))
}

// SealAudit does nothing: entries are sealed when they are stored.
func (s *Store) SealAudit(context.Context) (int, error) { return 0, nil }

// AuditChain returns the extent of the chain.
func (s *Store) AuditChain(context.Context) (record.AuditChain, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tables.auditChain, nil
}

// ExpireAudit deletes audit entries that are older than age, up to limit, from the first one on. The chain then begins after
// the last deleted one. An age of 0 expires none.
func (s *Store) ExpireAudit(ctx context.Context, age time.Duration, limit int) (deleted int, err error) {
	err = s.write(ctx, func(w *writing) error {
		oldest, chain := s.now().Add(-age), w.tables.auditChain
		for _, entry := range w.tables.audit {
			if age <= 0 || deleted == limit || !entry.At.Before(oldest) {
				break
			}
			chain.FirstSeq, chain.FirstHash = entry.Seq, entry.Hash
			w.delete(bucketAudit, auditKey(entry.Seq), func() { w.tables.audit = w.tables.audit[1:] })
			deleted++
		}
		if deleted > 0 {
			w.putChain(chain)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete old audit entries: %w", err)
	}
	return deleted, nil
}

func newAuditChain() record.AuditChain {
	return record.AuditChain{Hash: make([]byte, record.AuditHashSize), FirstHash: make([]byte, record.AuditHashSize)}
}
