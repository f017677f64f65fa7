package steps

import (
	"context"
	_ "embed"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// barrierSQL creates the barrier. The file documents its protocol, for workers in other languages too.
//
//go:embed barrier.sql
var barrierSQL string

const forgetSQL = "DELETE FROM saga_barrier WHERE created_at < $1"

// Barrier makes the effects of commands in a service's own Postgres happen exactly once. It keeps a row for each
// idempotency key, written in the handler's transaction. Install creates its table and functions; a migration that
// contains barrier.sql does the same.
//
// Run Install, or barrier.sql, again after an upgrade of this package. A barrier of version 0.1.0 works on, except that
// it cannot handle the commands of a saga that was rewound.
type Barrier struct {
	pool *pgxpool.Pool
	old  atomic.Bool // its functions are those of version 0.1.0
}

// NewBarrier returns a barrier in the pool's database. The pool needs one connection for each command that a worker
// handles concurrently.
func NewBarrier(pool *pgxpool.Pool) *Barrier { return &Barrier{pool: pool} }

// Install creates the barrier's table and functions. It may run again at any time.
func (b *Barrier) Install(ctx context.Context) error {
	if _, err := b.pool.Exec(ctx, barrierSQL); err != nil {
		return fmt.Errorf("install the barrier: %w", err)
	}
	b.old.Store(false)
	return nil
}

// Forget deletes the rows of commands that first arrived before a time, and returns their number. Keep the rows of
// every saga that is unfinished or whose messages may still arrive: weeks are a safe age.
func (b *Barrier) Forget(ctx context.Context, before time.Time) (int64, error) {
	tag, err := b.pool.Exec(ctx, forgetSQL, before)
	if err != nil {
		return 0, fmt.Errorf("delete old rows of the barrier: %w", err)
	}
	return tag.RowsAffected(), nil
}
