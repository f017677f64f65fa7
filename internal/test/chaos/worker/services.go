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

// services is what the workers do, and where they take it down.
type services struct {
	pool    *pgxpool.Pool
	barrier *steps.Barrier
}

// The ledger has no key but its own numbers: an effect that takes place twice stands there twice.
const tables = `
select pg_advisory_xact_lock(hashtext('chaos'));
create table if not exists ledger (
	id bigint generated always as identity primary key,
	saga_id text not null, step text not null, undone boolean not null, attempt integer not null,
	worker integer not null, at timestamptz not null default clock_timestamp());
create table if not exists notes (
	kind text not null, command text not null, at timestamptz not null default clock_timestamp())`

// install makes the tables, however long the database is away.
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
			return fmt.Errorf("make the services' tables: %w", err)
		}
	}
}

// work is what every command does: as its script says, and a line in the ledger.
func (s services) work(ctx context.Context, tx pgx.Tx, cmd steps.Command[chaos.Data]) (map[string]any, error) {
	switch behaviour := cmd.Data.Of(cmd.Step, cmd.Action); {
	case behaviour == chaos.Flaky && cmd.Attempt == 1:
		return nil, steps.Retry("flaky", "not this time")
	case behaviour == chaos.Decline, behaviour == chaos.Deny, behaviour == chaos.Reluctant && cmd.Attempt == 1:
		return nil, steps.Fail("declined", "never")
	case behaviour == chaos.Slow:
		wait.For(ctx, chaos.SlowWork)
	}
	_, err := tx.Exec(ctx, `insert into ledger (saga_id, step, undone, attempt, worker) values ($1, $2, $3, $4, $5)`,
		cmd.SagaID, cmd.Step, cmd.Action == saga.Compensate, cmd.Attempt, os.Getpid())
	if err != nil {
		return nil, err
	}
	return map[string]any{"by-" + cmd.Step: cmd.Attempt}, nil
}

// note takes down that something was done to a command, outside of any transaction of its work.
func (s services) note(kind, command string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = s.pool.Exec(ctx, `insert into notes (kind, command) values ($1, $2)`, kind, command) // a count, no more
}
