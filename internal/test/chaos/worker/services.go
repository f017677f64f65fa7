package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/internal/test/chaos"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// services is what the workers do, and where they record it.
type services struct {
	pool    *pgxpool.Pool
	barrier *steps.Barrier
}

// The ledger's only key is its own number: an effect that happens twice has two rows.
const tables = `
select pg_advisory_xact_lock(hashtext('chaos'));
create table if not exists ledger (
	id bigint generated always as identity primary key,
	saga_id text not null, step text not null, compensated boolean not null, attempt integer not null,
	worker integer not null, at timestamptz not null default clock_timestamp());
create table if not exists notes (
	kind text not null, command text not null, at timestamptz not null default clock_timestamp())`

// install creates the tables, however long the database is unavailable.
func (s services) install(ctx context.Context) error {
	for {
		err := s.barrier.Install(ctx)
		if err == nil {
			_, err = s.pool.Exec(ctx, tables)
		}
		if err == nil {
			return nil
		}
		if !wait.For(ctx, 200*time.Millisecond) {
			return fmt.Errorf("create the services' tables: %w", err)
		}
	}
}

// work handles every command: it follows the script and writes to the ledger.
func (s services) work(ctx context.Context, tx pgx.Tx, cmd steps.Command[chaos.Data]) (map[string]any, error) {
	switch behaviour := cmd.Data.Of(cmd.Step, cmd.Action); {
	case behaviour == chaos.Flaky && cmd.Attempt == 1:
		return nil, steps.Retry("flaky", "not this time")
	case behaviour == chaos.Decline, behaviour == chaos.Deny, behaviour == chaos.Reluctant && cmd.Attempt == 1:
		return nil, steps.Fail("declined", "never")
	case behaviour == chaos.Slow:
		wait.For(ctx, chaos.SlowWork)
	}
	_, err := tx.Exec(ctx, `insert into ledger (saga_id, step, compensated, attempt, worker) values ($1, $2, $3, $4, $5)`,
		cmd.SagaID, cmd.Step, cmd.Action == saga.Compensate, cmd.Attempt, os.Getpid())
	if err != nil {
		return nil, err
	}
	return map[string]any{"by-" + cmd.Step: cmd.Attempt}, nil
}

// note records an event of a command, outside any transaction of its work.
func (s services) note(kind, command string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = s.pool.Exec(ctx, `insert into notes (kind, command) values ($1, $2)`, kind, command) // only a count
}
