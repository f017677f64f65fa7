package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

var (
	// errBarrier marks a failure of the barrier's own statements. The command's outcome is then unknown.
	errBarrier = errors.New("the barrier's transaction failed")
	// errWork means that the handler went on after one of its statements had failed: none of its work is left.
	errWork = errors.New("the handler succeeded, but one of its statements had failed")
	// errNotYours is returned to a handler that tries to end the transaction.
	errNotYours = errors.New("the barrier ends this transaction; a handler must not commit it or roll it back")
)

// SQLSTATEs of the errors that need an answer of their own.
const (
	undefinedFunction = "42883" // a function does not exist with these parameters
	failedTransaction = "25P02" // an earlier statement of the transaction failed
)

// closingTime bounds the end of a transaction once the handler has returned, even past the command's deadline.
const closingTime = 10 * time.Second

// barrierTx is the transaction that takes one command through the barrier. It costs no round trip more than a transaction
// without the barrier: the barrier's statements go with the one that begins it and with the one that commits it.
type barrierTx struct {
	conn *pgxpool.Conn
	tx   pgx.Tx
	key  string
}

// begin starts the transaction and enters the command's key at the barrier.
func (b *Barrier) begin(ctx context.Context, delivery wire.Delivery) (opened[pgx.Tx], error) {
	t, reply, output, err := b.enter(ctx, entryOf(delivery))
	return opened[pgx.Tx]{tx: handlersTx{t.tx}, reply: reply, output: output, end: t}, err
}

// entry is what a command tells the barrier.
type entry struct {
	key      string
	attempt  int
	executed string // key of the execution that a compensation is for
	waited   bool   // the step waited, so that no command executed it
	canBeOld bool   // a barrier of version 0.1.0 can do it, too
}

func entryOf(delivery wire.Delivery) entry {
	e := entry{
		key: delivery.ID.IdempotencyKey(), attempt: delivery.ID.Attempt, executed: delivery.Compensates,
		waited: delivery.Waited, canBeOld: delivery.Compensates == "",
	}
	if e.executed == "" {
		e.executed = saga.CommandID{Saga: delivery.ID.Saga, Step: delivery.ID.Step, Direction: saga.Execute, Round: 1}.IdempotencyKey()
	}
	return e
}

// enterSQL enters a command.
const enterSQL = "SELECT reply, output FROM saga_barrier_enter($1, $2, $3, $4)"

// enter starts the transaction of a key. A reply that is not nil is the answer.
func (b *Barrier) enter(ctx context.Context, e entry) (t barrierTx, reply, output json.RawMessage, err error) {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return t, nil, nil, fmt.Errorf("%w: connect: %w", errBarrier, err)
	}
	enter, arguments := enterSQL, []any{e.key, e.attempt, e.executed, e.waited}
	if b.old.Load() && e.canBeOld {
		enter, arguments = "SELECT reply, output FROM saga_barrier_enter($1, $2)", arguments[:2]
	}
	batch := &pgx.Batch{}
	batch.BeginTx(pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	batch.Queue(enter, arguments...).QueryRow(func(row pgx.Row) error { return row.Scan(&reply, &output) })
	batch.Queue("SAVEPOINT saga_work")
	results := conn.SendBatch(ctx, batch)
	t = barrierTx{conn: conn, tx: results.Tx(), key: e.key}
	if err := results.Close(); err != nil {
		t.abort()
		if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == undefinedFunction {
			b.old.Store(e.canBeOld)
			err = fmt.Errorf("run barrier.sql again, it is older than the worker: %w", err)
		}
		return t, nil, nil, fmt.Errorf("%w: enter: %w", errBarrier, err)
	}
	return t, reply, output, nil
}

// keep makes the handler's work part of the transaction, stores the reply beside it and commits both. errWork leaves the
// transaction open. Every other error means that the outcome is unknown: a server may commit a transaction that the driver
// then reports as safe to retry.
func (t barrierTx) keep(ctx context.Context, reply json.RawMessage) error {
	batch, released := &pgx.Batch{}, false
	batch.Queue("RELEASE SAVEPOINT saga_work").Exec(func(pgconn.CommandTag) error {
		released = true
		return nil
	})
	err := t.finish(ctx, batch, reply)
	if err != nil && !released && t.failed() {
		return errWork
	}
	return err
}

// refuse reverses the handler's work, stores the reply and commits.
func (t barrierTx) refuse(ctx context.Context, reply json.RawMessage) (instead json.RawMessage, err error) {
	if _, err := t.tx.Exec(ctx, "ROLLBACK TO SAVEPOINT saga_work"); err != nil {
		return nil, fmt.Errorf("%w: roll back the work: %w", errBarrier, err)
	}
	return nil, t.finish(ctx, &pgx.Batch{}, reply)
}

// finish sends a batch that also stores the reply and commits, in one round trip.
func (t barrierTx) finish(ctx context.Context, batch *pgx.Batch, reply json.RawMessage) error {
	batch.Queue("SELECT saga_barrier_leave($1, $2)", t.key, reply)
	batch.Queue("COMMIT")
	failpoint.Reach("barrier/committing")
	if err := t.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("%w: store the reply and commit: %w", errBarrier, err)
	}
	failpoint.Reach("barrier/committed")
	return nil
}

// failed reports that the transaction is open but has failed, so that it was not committed.
func (t barrierTx) failed() bool {
	conn := t.conn.Conn()
	return !conn.IsClosed() && conn.PgConn().TxStatus() == 'E'
}

func (t barrierTx) commit(ctx context.Context) error {
	if err := t.tx.Commit(ctx); err != nil {
		return fmt.Errorf("%w: commit: %w", errBarrier, err)
	}
	return nil
}

// abort rolls the transaction back if it is still open, and releases its connection.
func (t barrierTx) abort() {
	defer t.conn.Release()
	if conn := t.conn.Conn(); conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closingTime)
	defer cancel()
	_ = t.tx.Rollback(ctx) // if this fails, the server rolls back once it notices the lost connection
}

// handlersTx is the transaction as a handler gets it: it refuses to be ended.
type handlersTx struct{ pgx.Tx }

func (handlersTx) Commit(context.Context) error   { return errNotYours }
func (handlersTx) Rollback(context.Context) error { return errNotYours }
