package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/steps"
)

// postgresState is the state of a service in a table. The barrier and the line in the ledger commit in one transaction.
type postgresState struct {
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

func openPostgresState(ctx context.Context, databaseURL string) (*postgresState, error) {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("open the services' database: %w", err)
	}
	s := &postgresState{pool: pool, barrier: steps.NewBarrier(pool)}
	if err := s.barrier.Install(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	if _, err := pool.Exec(ctx, createLedger); err != nil {
		pool.Close()
		return nil, fmt.Errorf("create the services' ledger: %w", err)
	}
	return s, nil
}

func (s *postgresState) serve(worker *steps.Worker, service, command string, do work) {
	handle := func(ctx context.Context, tx pgx.Tx, cmd steps.Command[Order]) (map[string]any, error) {
		output, line, err := do(ctx, cmd)
		if err != nil {
			return nil, err
		}
		_, err = tx.Exec(ctx, `insert into order_saga_ledger (service, saga_id, step, action, line)
			values ($1, $2, $3, $4, $5)`, service, cmd.SagaID, cmd.Step, string(cmd.Action), line)
		return output, err
	}
	steps.HandleTx(worker, s.barrier, command, handle)
}
