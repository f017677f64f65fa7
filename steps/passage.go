package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
)

var (
	// errBarrier marks a failure of the barrier's own statements: whether anything took effect is unknown.
	errBarrier = errors.New("the barrier's transaction failed")
	// errNotYours is what a handler gets that ends the transaction.
	errNotYours = errors.New("the transaction belongs to the barrier, which ends it by what the handler returns")
)

// closingTime is how long the end of a transaction may take after the work is done, whatever the deadline was.
const closingTime = 10 * time.Second

// passage is one command on its way through the barrier, in one transaction.
type passage struct {
	tx  pgx.Tx
	key string
}

// enter begins the transaction and asks the barrier. A reply that is not nil is the answer, and there is nothing to do.
// output is what the step returned, for a compensation that has something to undo.
func (b *Barrier) enter(ctx context.Context, key string, attempt int) (p passage, reply, output json.RawMessage, err error) {
	tx, err := b.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return p, nil, nil, fmt.Errorf("%w: begin: %w", errBarrier, err)
	}
	p = passage{tx: tx, key: key}
	row := tx.QueryRow(ctx, "SELECT reply, output FROM saga_barrier_enter($1, $2)", key, attempt)
	if err := row.Scan(&reply, &output); err != nil {
		p.abandon()
		return p, nil, nil, fmt.Errorf("%w: enter: %w", errBarrier, err)
	}
	if reply == nil {
		if err := p.exec(ctx, "SAVEPOINT saga_work"); err != nil {
			p.abandon()
			return p, nil, nil, err
		}
	}
	return p, reply, output, nil
}

// keepWork makes the work part of the transaction. The error of a database that is there means that the handler went on
// after a statement that failed: nothing of its work is left.
func (p passage) keepWork(ctx context.Context) error {
	err := p.exec(ctx, "RELEASE SAVEPOINT saga_work")
	if err != nil && !p.tx.Conn().IsClosed() {
		return errors.New("the handler succeeded, but one of its statements had failed")
	}
	return err
}

// undoWork takes the work back and leaves the transaction usable, for the failure to be stored.
func (p passage) undoWork(ctx context.Context) error {
	return p.exec(ctx, "ROLLBACK TO SAVEPOINT saga_work")
}

// leave stores the reply beside the effect and commits both. An error means that the outcome is unknown, of whatever
// type it is: servers have been seen to commit what the driver then reported as safe to try again.
func (p passage) leave(ctx context.Context, reply json.RawMessage) error {
	if err := p.exec(ctx, "SELECT saga_barrier_leave($1, $2)", p.key, reply); err != nil {
		return err
	}
	failpoint.Reach("barrier/committing")
	if err := p.commit(ctx); err != nil {
		return err
	}
	failpoint.Reach("barrier/committed")
	return nil
}

func (p passage) commit(ctx context.Context) error {
	if err := p.tx.Commit(ctx); err != nil {
		return fmt.Errorf("%w: commit: %w", errBarrier, err)
	}
	return nil
}

func (p passage) exec(ctx context.Context, statement string, arguments ...any) error {
	if _, err := p.tx.Exec(ctx, statement, arguments...); err != nil {
		return fmt.Errorf("%w: %s: %w", errBarrier, statement, err)
	}
	return nil
}

// abandon ends the transaction if it has not ended: nothing of it took effect.
func (p passage) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), closingTime)
	defer cancel()
	_ = p.tx.Rollback(ctx) // if even that fails, the server does it when it notices that the connection is gone
}

// handlersTx is the transaction in the hands of a handler, which must not end it.
type handlersTx struct{ pgx.Tx }

func (handlersTx) Commit(context.Context) error   { return errNotYours }
func (handlersTx) Rollback(context.Context) error { return errNotYours }
