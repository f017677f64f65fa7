package steps

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// barrierSQL is the barrier itself. The file says what holds; it serves other languages too.
//
//go:embed barrier.sql
var barrierSQL string

// Barrier makes effects in a service's own Postgres happen once: a row for each idempotency key, written in the
// transaction of the handler. Its table and functions have to be there: Install makes them, or a migration that holds
// barrier.sql.
type Barrier struct{ pool *pgxpool.Pool }

// NewBarrier makes a barrier in the database of the pool. The pool needs a connection for every command that a worker
// does at the same time.
func NewBarrier(pool *pgxpool.Pool) *Barrier { return &Barrier{pool: pool} }

// Install creates what the barrier needs, where it is not there already.
func (b *Barrier) Install(ctx context.Context) error {
	if _, err := b.pool.Exec(ctx, barrierSQL); err != nil {
		return fmt.Errorf("install the barrier: %w", err)
	}
	return nil
}

// Forget deletes the rows of commands that first came before that time, and returns how many. A saga that is still under
// way must not be forgotten, nor one whose messages may still come: weeks are a good age.
func (b *Barrier) Forget(ctx context.Context, before time.Time) (int64, error) {
	tag, err := b.pool.Exec(ctx, "DELETE FROM saga_barrier WHERE created_at < $1", before)
	if err != nil {
		return 0, fmt.Errorf("delete old rows of the barrier: %w", err)
	}
	return tag.RowsAffected(), nil
}
