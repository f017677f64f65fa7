package client

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Scanner is the row that a query returns: a pgx.Row or a *sql.Row.
type Scanner interface{ Scan(dest ...any) error }

// Transaction is a pgx.Tx of the orchestrator's database. A pgx.Conn and a pgxpool.Pool have the method, too: with them the
// call is a transaction of its own.
type Transaction[Row Scanner] interface {
	QueryRow(ctx context.Context, statement string, arguments ...any) Row
}

// startStatement casts every argument, so that clients need not know the types.
const startStatement = `select saga_start($1::text, $2::text::json, $3::text, $4::text, $5::integer, $6::text::jsonb,
	$7::timestamptz, $8::double precision * interval '1 microsecond')`

// ErrNotFromSQL means that a start from SQL has a field that only a start by REST has.
var ErrNotFromSQL = errors.New("a start from SQL takes the latest version and does not wait: Version and Wait must be 0")

// StartTx starts a saga in a transaction of the orchestrator's database, and returns its id. The saga starts when the
// transaction commits, and never if it rolls back. It needs no Client: the role of the transaction needs EXECUTE on the
// function saga_start. An error of the database is returned as it came, wrapped; it has aborted the transaction.
//
// What is refused after the commit, such as an unknown definition, becomes a dead letter.
func StartTx[Row Scanner](ctx context.Context, tx Transaction[Row], request StartRequest) (id string, err error) {
	arguments, err := request.arguments()
	if err != nil {
		return "", err
	}
	return started(request, tx.QueryRow(ctx, startStatement, arguments...))
}

// StartSQL is StartTx for package database/sql.
func StartSQL(ctx context.Context, tx *sql.Tx, request StartRequest) (id string, err error) {
	arguments, err := request.arguments()
	if err != nil {
		return "", err
	}
	return started(request, tx.QueryRowContext(ctx, startStatement, arguments...))
}

func started(request StartRequest, row Scanner) (id string, err error) {
	if err := row.Scan(&id); err != nil {
		return "", fmt.Errorf("start a saga of %q in a transaction: %w", request.Definition, err)
	}
	return id, nil
}

// arguments returns the arguments of startStatement. nil stands for a default.
func (r StartRequest) arguments() ([]any, error) {
	if r.Version != 0 || r.Wait != 0 {
		return nil, ErrNotFromSQL
	}
	data, labels := "{}", []byte("{}")
	if r.Data != nil {
		data = string(r.Data)
	}
	if len(r.Labels) > 0 {
		var err error
		if labels, err = json.Marshal(r.Labels); err != nil {
			return nil, fmt.Errorf("encode the labels: %w", err)
		}
	}
	var idempotencyKey, key *string
	if r.IdempotencyKey != "" {
		idempotencyKey = &r.IdempotencyKey
	}
	if r.Key != "" {
		key = &r.Key
	}
	var startAt *time.Time
	if !r.StartAt.IsZero() {
		startAt = &r.StartAt
	}
	var deadline *float64
	if r.Deadline != 0 {
		deadline = new(float64(r.Deadline.Microseconds()))
	}
	return []any{r.Definition, data, idempotencyKey, key, int(r.Priority), string(labels), startAt, deadline}, nil
}
