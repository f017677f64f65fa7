package river

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// Settings found by trial on two cores: with fewer workers, or shorter pauses, River spends more on fetching than it gains.
// The price is the latency of a lone saga.
const (
	connections = 20
	workers     = 100
	cooldown    = 20 * time.Millisecond
	poll        = 100 * time.Millisecond
)

// Entry returns the system's entry.
func Entry() system.Entry { return system.Entry{Name: "river", Open: open} }

type chain struct {
	pool    *pgxpool.Pool
	client  *river.Client[pgx.Tx]
	waiters *system.Waiters
}

func open(ctx context.Context, place system.Place) (system.System, error) {
	pool, err := system.Pool(ctx, place.DatabaseURL, connections, nil)
	if err != nil {
		return nil, err
	}
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("create River's tables: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("create River's tables: %w", err)
	}
	c := &chain{pool: pool, waiters: system.NewWaiters()}
	known := river.NewWorkers()
	river.AddWorker(known, &worker{chain: c})
	c.client, err = river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}, Workers: known,
		FetchCooldown: cooldown, FetchPollInterval: poll, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("create a River client: %w", err)
	}
	if err := c.client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("start River: %w", err)
	}
	return c, nil
}

// Run inserts the first job and waits for the last one.
func (c *chain) Run(ctx context.Context, order system.Order) (system.End, error) {
	end := c.waiters.Expect(order.ID)
	if _, err := c.client.Insert(ctx, job{Command: system.Steps()[0].Execute, Order: order}, nil); err != nil {
		return "", fmt.Errorf("insert a job: %w", err)
	}
	return system.Await(ctx, ctx, end)
}

// Ended counts the last jobs of all chains.
func (c *chain) Ended(ctx context.Context) (system.Tally, error) {
	return system.Count(ctx, c.pool, `
		SELECT CASE args->>'command' WHEN 'orders.confirm' THEN 'completed' ELSE 'compensated' END, count(*) FROM river_job
		WHERE state = 'completed' AND (args->>'command' = 'inventory.release'
			OR args->>'command' = 'orders.confirm' AND NOT (args->'order'->>'declined')::bool)
		GROUP BY 1`)
}

// Close stops River.
func (c *chain) Close(ctx context.Context) error {
	err := c.client.Stop(ctx)
	c.pool.Close()
	if err != nil {
		return errors.Join(errors.New("stop River"), err)
	}
	return nil
}
