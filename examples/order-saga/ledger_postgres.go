package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/steps"
)

// postgresLedger is the ledger of a service in a table, with the barrier beside it.
type postgresLedger struct {
	pool    *pgxpool.Pool
	barrier *steps.Barrier
}

// The services of the example share a database, so a line names its service.
const createLedger = `
select pg_advisory_xact_lock(hashtext('order_saga_ledger'));
create table if not exists order_saga_ledger (
	id bigint generated always as identity primary key,
	service text not null,
	saga_id text not null,
	step text not null,
	action text not null,
	line text not null,
	at timestamptz not null default now())`

func openPostgresLedger(ctx context.Context, databaseURL string) (*postgresLedger, error) {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("open the services' database: %w", err)
	}
	l := &postgresLedger{pool: pool, barrier: steps.NewBarrier(pool)}
	if err := l.barrier.Install(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	if _, err := pool.Exec(ctx, createLedger); err != nil {
		pool.Close()
		return nil, fmt.Errorf("create the services' ledger: %w", err)
	}
	return l, nil
}
