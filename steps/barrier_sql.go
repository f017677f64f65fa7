package steps

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// SQLBarrier is Barrier for services that use database/sql, with any driver for Postgres. Both kinds work on the same table.
// It costs two round trips more than a transaction without it. Barrier costs none.
type SQLBarrier struct{ db *sql.DB }

// SQLTx is the transaction of a handler behind an SQLBarrier: what *sql.Tx has, but its end.
type SQLTx interface {
	ExecContext(ctx context.Context, query string, arguments ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, arguments ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, arguments ...any) *sql.Row
}

// NewSQLBarrier returns a barrier in a database. The pool needs one connection for each command that a worker handles
// concurrently.
func NewSQLBarrier(db *sql.DB) *SQLBarrier { return &SQLBarrier{db: db} }

// Install creates the barrier's table and functions, as Barrier.Install does. The driver must accept several statements in
// one query without arguments, as pgx and lib/pq do; else run barrier.sql with psql.
func (b *SQLBarrier) Install(ctx context.Context) error {
	if _, err := b.db.ExecContext(ctx, barrierSQL); err != nil {
		return fmt.Errorf("install the barrier: %w", err)
	}
	return nil
}

// Forget deletes the rows of commands that first arrived before a time, as Barrier.Forget does.
func (b *SQLBarrier) Forget(ctx context.Context, before time.Time) (int64, error) {
	result, err := b.db.ExecContext(ctx, forgetSQL, before)
	if err != nil {
		return 0, fmt.Errorf("delete old rows of the barrier: %w", err)
	}
	return result.RowsAffected()
}

// HandleSQL is HandleTx for database/sql. The handler must not end the transaction, not by a statement either.
func HandleSQL[In, Out any](w *Worker, b *SQLBarrier, name string, handle func(context.Context, SQLTx, Command[In]) (Out, error)) {
	given(name, b != nil, "barrier")
	handleBehind(w, name, b.begin, handle)
}

// sqlTx is the transaction that takes one command through the barrier. It has no savepoint, which would cost two round trips:
// a failed reply is stored by a second transaction.
type sqlTx struct {
	barrier  *SQLBarrier
	delivery wire.Delivery
	conn     *sql.Conn
	tx       *sql.Tx
	release  context.CancelFunc
}

func (b *SQLBarrier) begin(ctx context.Context, delivery wire.Delivery) (opened[SQLTx], error) {
	t := &sqlTx{barrier: b, delivery: delivery}
	reply, output, err := t.enter(ctx)
	if err != nil {
		return opened[SQLTx]{}, err
	}
	return opened[SQLTx]{tx: handlersSQLTx{t.tx}, reply: reply, output: output, end: t}, nil
}

// enter begins the transaction and enters the command. After an error no transaction is open. The transaction outlives ctx:
// database/sql rolls one back when its own context ends, and work that was done at the deadline is still to be committed.
func (t *sqlTx) enter(ctx context.Context) (reply, output json.RawMessage, err error) {
	own, release := context.WithCancel(context.WithoutCancel(ctx))
	t.release = release
	defer context.AfterFunc(ctx, release)()
	defer func() {
		if err != nil {
			t.abort()
		}
	}()
	if t.conn, err = t.barrier.db.Conn(ctx); err != nil {
		return nil, nil, fmt.Errorf("%w: connect: %w", errBarrier, err)
	}
	if t.tx, err = t.conn.BeginTx(own, &sql.TxOptions{Isolation: sql.LevelReadCommitted}); err != nil {
		return nil, nil, fmt.Errorf("%w: begin: %w", errBarrier, err)
	}
	e := entryOf(t.delivery)
	row := t.tx.QueryRowContext(ctx, enterSQL, e.key, e.attempt, e.executed, e.waited)
	if err := row.Scan((*[]byte)(&reply), (*[]byte)(&output)); err != nil {
		if sqlState(err) == undefinedFunction {
			err = fmt.Errorf("run barrier.sql again, it is older than the worker: %w", err)
		}
		return nil, nil, fmt.Errorf("%w: enter: %w", errBarrier, err)
	}
	return reply, output, nil
}

func (t *sqlTx) keep(ctx context.Context, reply json.RawMessage) error {
	if _, err := t.tx.ExecContext(ctx, "SELECT saga_barrier_leave($1, $2)", t.delivery.ID.IdempotencyKey(), string(reply)); err != nil {
		if sqlState(err) == failedTransaction {
			return errWork
		}
		return fmt.Errorf("%w: store the reply: %w", errBarrier, err)
	}
	failpoint.Reach("barrier/committing")
	if err := t.commit(ctx); err != nil {
		return err
	}
	failpoint.Reach("barrier/committed")
	return nil
}

// refuse rolls the work back and stores the failed reply in a second transaction. Between the two, another delivery may have
// gone through the barrier: its reply is then the answer.
func (t *sqlTx) refuse(ctx context.Context, reply json.RawMessage) (instead json.RawMessage, err error) {
	t.abort()
	instead, _, err = t.enter(ctx)
	if err != nil {
		return nil, err
	}
	if instead != nil {
		return instead, t.commit(ctx)
	}
	return nil, t.keep(ctx, reply)
}

func (t *sqlTx) commit(context.Context) error {
	if err := t.tx.Commit(); err != nil {
		return fmt.Errorf("%w: commit: %w", errBarrier, err)
	}
	return nil
}

// abort rolls back a transaction that is still open, and releases its connection. It may be called again.
func (t *sqlTx) abort() {
	if t.tx != nil {
		_ = t.tx.Rollback() // if this fails, the server rolls back once it notices the lost connection
	}
	if t.conn != nil {
		_ = t.conn.Close()
	}
	t.release()
	t.tx, t.conn = nil, nil
}

// sqlState returns the SQLSTATE of an error. The errors of the drivers have this method.
func sqlState(err error) string {
	if coded, is := errors.AsType[interface {
		error
		SQLState() string
	}](err); is {
		return coded.SQLState()
	}
	return ""
}

// handlersSQLTx is the transaction as a handler gets it. It hides the end of the transaction even from a type assertion.
type handlersSQLTx struct{ tx *sql.Tx }

func (h handlersSQLTx) ExecContext(ctx context.Context, query string, arguments ...any) (sql.Result, error) {
	return h.tx.ExecContext(ctx, query, arguments...)
}

func (h handlersSQLTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return h.tx.PrepareContext(ctx, query)
}

func (h handlersSQLTx) QueryContext(ctx context.Context, query string, arguments ...any) (*sql.Rows, error) {
	return h.tx.QueryContext(ctx, query, arguments...)
}

func (h handlersSQLTx) QueryRowContext(ctx context.Context, query string, arguments ...any) *sql.Row {
	return h.tx.QueryRowContext(ctx, query, arguments...)
}
