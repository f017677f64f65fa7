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

// Transact runs one batch in one transaction: it loads and locks what the batch names, lets decide decide, and writes
// what came of it. It returns nil only when all of it is committed; an error means that the outcome is unknown, unless
// it is decide's own, after which nothing is written. decide may be called several times.
//
// Of two claims in one batch on the same idempotency key the first wins. The other finds the first as it would find
// any other saga, but with a zero Instance, since the first is only about to be made.
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
	if err == nil {
		err = failpoint.Error("store/committed")
	}
	if err != nil {
		return fmt.Errorf("transact %d sagas and %d starts: %w", len(batch.SagaIDs), len(batch.Starts), err)
	}
	return nil
}

// transact tries once with locks. The first round trip begins the transaction and loads, the second writes and commits.
func (s *Store) transact(
	ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error),
) (err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquire a connection: %w", err)
	}
	defer conn.Release() // and closes the connection, should it still be in a transaction
	defer func() {
		if err != nil {
			rollback(ctx, conn)
		}
	}()
	failpoint.Reach("store/beginning")
	load := newLoad(batch)
	if err := conn.SendBatch(ctx, load.statements()).Close(); err != nil {
		return fmt.Errorf("load: %w", refused(err))
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

// evictAfter drops what a failed write leaves uncertain. Where the server did not answer that it has rolled back, the
// outcome is unknown, or the server is another one by now, which may have lost commits: then nothing cached is certain.
func (s *Store) evictAfter(err error, ids []string) {
	var answered *pgconn.PgError
	if errors.As(err, &answered) && !fatal(answered) {
		s.cache.evict(ids)
		return
	}
	s.cache.clear()
}

// rollback spares the connection. Should it fail, Release closes the connection, which rolls back too.
func rollback(ctx context.Context, conn *pgxpool.Conn) {
	if conn.Conn().IsClosed() || conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, _ = conn.Exec(ctx, "rollback") // on purpose: see above
}

// decideError is an error of decide. It is never retried, whatever it wraps.
type decideError struct{ error }

// Unwrap gives callers the error that they returned.
func (e decideError) Unwrap() error { return e.error }
