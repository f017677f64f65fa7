package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const rollbackTimeout = 2 * time.Second

// Transact runs one batch in one transaction: it loads and locks the batch's sagas, calls decide, and writes the
// changes. It returns nil only after everything is committed. An error means that the outcome is unknown, except an
// error of decide, after which nothing is written. decide may be called several times.
//
// Of two claims in one batch on the same idempotency key, the first wins. The second finds the first like any stored
// saga, but with a zero Instance, since that saga is not created yet.
func (s *Store) Transact(
	ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error),
) error {
	first := s.optimistic(batch)
	err := retried(ctx, func() error {
		if o := first; o != nil {
			first = nil
			return o.take(ctx, s, decide)
		}
		return s.transact(ctx, batch, decide)
	})
	s.noteWrites(batch, err)
	if err == nil {
		err = failpoint.Error("store/committed")
	}
	if err != nil {
		return fmt.Errorf("transact %d sagas and %d starts: %w", len(batch.SagaIDs), len(batch.Starts), err)
	}
	return nil
}

// transact tries once with locks. One round trip begins the transaction and loads; a second one writes and commits.
func (s *Store) transact(
	ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error),
) (err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquire a connection: %w", err)
	}
	defer conn.Release() // it closes the connection if a transaction is still open
	defer func() {
		if err != nil {
			rollback(ctx, conn)
		}
	}()
	failpoint.Reach("store/beginning")
	load := newLoad(s, batch)
	if err := conn.SendBatch(ctx, load.statements()).Close(); err != nil {
		return fmt.Errorf("load: %w", refused(err))
	}
	if err := addParents(ctx, conn, load.unreadable); err != nil {
		return fmt.Errorf("load the parents of unreadable sagas: %w", err)
	}
	if err := s.markLacked(ctx, conn, load.unreadable); err != nil {
		return fmt.Errorf("check the payload keys: %w", err)
	}
	loaded, err := load.loaded()
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	changes, err := decide(loaded)
	if err != nil {
		return decideError{err}
	}
	w := newWrite(s, batch, load.found, changes)
	w.claims, w.now = &load.claims, loaded.Now
	statements := &pgx.Batch{}
	if err := w.queue(statements); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	statements.Queue(`commit`)
	failpoint.Reach("store/committing")
	if err := conn.SendBatch(ctx, statements).Close(); err != nil {
		s.evictAfter(err, batch.SagaIDs)
		return fmt.Errorf("write and commit: %w", refused(err))
	}
	s.clock.observe(*load.now)
	s.cache.keepLoaded(load.found)
	s.cache.keep(changes.Created, w.fence)
	s.cache.keep(changes.Updated, w.fence)
	return nil
}

// evictAfter evicts sagas whose state is uncertain after a failed write. Unless the server has answered that it rolled
// back, the outcome is unknown, or a failover may have lost commits: then the whole cache is uncertain.
func (s *Store) evictAfter(err error, ids []string) {
	var answered *pgconn.PgError
	if errors.As(err, &answered) && !fatal(answered) {
		s.cache.evict(ids)
		return
	}
	s.cache.clear()
}

// rollback keeps the connection usable. If it fails, Release closes the connection, which rolls back too.
func rollback(ctx context.Context, conn *pgxpool.Conn) {
	if conn.Conn().IsClosed() || conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, _ = conn.Exec(ctx, "rollback") // see above
}

// decideError is an error of decide. It is never retried, whatever it wraps.
type decideError struct{ error }

// Unwrap gives callers the error that they returned.
func (e decideError) Unwrap() error { return e.error }
