package naive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

const schema = `
CREATE TABLE sagas (
	id         text PRIMARY KEY,
	status     text NOT NULL,
	data       jsonb NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE saga_steps (
	saga_id    text NOT NULL REFERENCES sagas,
	step       int NOT NULL,
	status     text NOT NULL,
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (saga_id, step)
)`

// table stores the state of all sagas.
type table struct {
	pool *pgxpool.Pool
}

// errRepeated is returned for a reply that was processed before.
var errRepeated = errors.New("the reply was processed before")

// insert stores a new saga with its steps.
func (t table) insert(ctx context.Context, order system.Order) error {
	data, err := json.Marshal(order)
	if err != nil {
		return fmt.Errorf("encode an order: %w", err)
	}
	return pgx.BeginFunc(ctx, t.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO sagas (id, status, data) VALUES ($1, 'running', $2)`, order.ID, data); err != nil {
			return fmt.Errorf("insert a saga: %w", err)
		}
		_, err := tx.Exec(ctx, `INSERT INTO saga_steps (saga_id, step, status) SELECT $1, step, 'pending' FROM generate_series(0, $2) step`,
			order.ID, len(system.Steps())-1)
		if err != nil {
			return fmt.Errorf("insert the steps of a saga: %w", err)
		}
		return nil
	})
}

// move stores one transition and returns the saga's data. For a duplicate reply the update of the step matches no row.
func (t table) move(ctx context.Context, m move) (system.Order, error) {
	var order system.Order
	err := pgx.BeginFunc(ctx, t.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE saga_steps SET status = $4, updated_at = now() WHERE saga_id = $1 AND step = $2 AND status = $3`,
			m.saga, m.step, m.from, m.to)
		if err != nil {
			return fmt.Errorf("update a step: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errRepeated
		}
		err = tx.QueryRow(ctx, `UPDATE sagas SET status = $2, updated_at = now() WHERE id = $1 RETURNING data`, m.saga, m.status).Scan(&order)
		if err != nil {
			return fmt.Errorf("update a saga: %w", err)
		}
		return nil
	})
	return order, err
}
