package bench

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// tally counts the sagas that ended as expected, according to the orchestrator's answers.
type tally struct{ completed, compensated atomic.Int64 }

// count wraps a load's function to count its sagas. fails reports whether saga number n must be compensated.
func (t *tally) count(one func(context.Context, int) error, fails func(n int) bool) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		err := one(ctx, n)
		switch {
		case err != nil:
		case fails(n):
			t.compensated.Add(1)
		default:
			t.completed.Add(1)
		}
		return err
	}
}

// verify compares the answers with the database, which must hold no other sagas.
func (t *tally) verify(ctx context.Context, db loadtest.Querier) error {
	var completed, compensated, all int64
	err := db.QueryRow(ctx, `SELECT count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'compensated'), count(*)
		FROM sagas`).Scan(&completed, &compensated, &all)
	if err != nil {
		return fmt.Errorf("count the sagas of the run: %w", err)
	}
	if completed != t.completed.Load() || compensated != t.compensated.Load() || all != completed+compensated {
		return fmt.Errorf("%d sagas completed and %d were compensated according to the answers; the database has %d and %d of %d",
			t.completed.Load(), t.compensated.Load(), completed, compensated, all)
	}
	return nil
}
