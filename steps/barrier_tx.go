package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

var (
	// errBarrier marks a failure of the barrier's own statements. The command's outcome is then unknown.
	errBarrier = errors.New("the barrier's transaction failed")
	// errNotYours is returned to a handler that tries to end the transaction.
	errNotYours = errors.New("the barrier ends this transaction; a handler must not commit it or roll it back")
)

// undefinedFunction is the SQLSTATE for a function that does not exist with these parameters.
const undefinedFunction = "42883"

// closingTime bounds the end of a transaction once the handler has returned, even past the command's deadline.
const closingTime = 10 * time.Second

// barrierTx is the transaction that takes one command through the barrier.
type barrierTx struct {
	tx  pgx.Tx
	key string
}

// begin starts the transaction and enters the command's key at the barrier. A reply that is not nil is the answer, and the handler
// is not called. output is what the step returned, for a compensation that has an effect to reverse.
func (b *Barrier) begin(ctx context.Context, delivery wire.Delivery) (t barrierTx, reply, output json.RawMessage, err error) {
	key, executed := delivery.ID.IdempotencyKey(), delivery.Compensates
	if executed == "" {
		executed = saga.CommandID{Saga: delivery.ID.Saga, Step: delivery.ID.Step, Direction: saga.Execute, Round: 1}.IdempotencyKey()
	}
	return b.enter(ctx, key, delivery.ID.Attempt, executed, delivery.Compensates == "")
}

// enter starts the transaction of a key. canBeOld reports that a barrier of version 0.1.0 can do it, too.
func (b *Barrier) enter(
	ctx context.Context, key string, attempt int, executed string, canBeOld bool,
) (t barrierTx, reply, output json.RawMessage, err error) {
	tx, err := b.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return t, nil, nil, fmt.Errorf("%w: begin: %w", errBarrier, err)
	}
	t = barrierTx{tx: tx, key: key}
	enter, arguments := "SELECT reply, output FROM saga_barrier_enter($1, $2, $3)", []any{key, attempt, executed}
	if b.old.Load() && canBeOld {
		enter, arguments = "SELECT reply, output FROM saga_barrier_enter($1, $2)", arguments[:2]
	}
	if err := tx.QueryRow(ctx, enter, arguments...).Scan(&reply, &output); err != nil {
		t.abort()
		if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == undefinedFunction {
			b.old.Store(canBeOld)
			err = fmt.Errorf("run barrier.sql again, it is older than the worker: %w", err)
		}
		return t, nil, nil, fmt.Errorf("%w: enter: %w", errBarrier, err)
	}
	if reply == nil {
		if err := t.exec(ctx, "SAVEPOINT saga_work"); err != nil {
			t.abort()
			return t, nil, nil, err
		}
	}
	return t, reply, output, nil
}

// keepWork makes the handler's work part of the transaction. An error on an open connection means that the handler went
// on after one of its statements had failed: none of its work is left.
func (t barrierTx) keepWork(ctx context.Context) error {
	err := t.exec(ctx, "RELEASE SAVEPOINT saga_work")
	if err != nil && !t.tx.Conn().IsClosed() {
		return errors.New("the handler succeeded, but one of its statements had failed")
	}
	return err
}

// rollbackWork reverses the handler's work. The transaction stays usable, so that the failure can be stored.
func (t barrierTx) rollbackWork(ctx context.Context) error {
	return t.exec(ctx, "ROLLBACK TO SAVEPOINT saga_work")
}

// finish stores the reply beside the effect and commits both. Every error means that the outcome is unknown: a server may
// commit a transaction that the driver then reports as safe to retry.
func (t barrierTx) finish(ctx context.Context, reply json.RawMessage) error {
	if err := t.exec(ctx, "SELECT saga_barrier_leave($1, $2)", t.key, reply); err != nil {
		return err
	}
	failpoint.Reach("barrier/committing")
	if err := t.commit(ctx); err != nil {
		return err
	}
	failpoint.Reach("barrier/committed")
	return nil
}

func (t barrierTx) commit(ctx context.Context) error {
	if err := t.tx.Commit(ctx); err != nil {
		return fmt.Errorf("%w: commit: %w", errBarrier, err)
	}
	return nil
}

func (t barrierTx) exec(ctx context.Context, statement string, arguments ...any) error {
	if _, err := t.tx.Exec(ctx, statement, arguments...); err != nil {
		return fmt.Errorf("%w: %s: %w", errBarrier, statement, err)
	}
	return nil
}

// abort rolls the transaction back if it is still open.
func (t barrierTx) abort() {
	ctx, cancel := context.WithTimeout(context.Background(), closingTime)
	defer cancel()
	_ = t.tx.Rollback(ctx) // if this fails, the server rolls back once it notices the lost connection
}

// handlersTx is the transaction as a handler gets it: it refuses to be ended.
type handlersTx struct{ pgx.Tx }

func (handlersTx) Commit(context.Context) error   { return errNotYours }
func (handlersTx) Rollback(context.Context) error { return errNotYours }
