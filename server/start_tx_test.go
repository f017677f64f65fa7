package server_test

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers pgx for database/sql
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// Go programs start sagas in their transactions, with pgx and with database/sql. The same request by REST is the same saga.
func TestGoProgramsStartSagasInTheirTransactions(t *testing.T) {
	t.Parallel()
	amqpURL, prefix := env.Broker(t, "shop")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: amqpURL, AMQPPrefix: prefix, Migrate: true, StartPoll: server.MinStartPoll}
	s, _ := serving(t, config)
	status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/order", `{"steps":[{"name":"reserve","command":"shop.reserve"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	program := newShop(t, config.DatabaseURL)
	db, err := sql.Open("pgx", program.Config().ConnString())
	require.NoError(t, err)
	defer db.Close()
	ctx := t.Context()
	full := client.StartRequest{
		Definition: "order", Data: json.RawMessage(`{"a": "<&>", "n": 1.10}`), Key: "order-1", Priority: 9, IdempotencyKey: "k1",
		Labels: map[string]string{"region": "<eu>"}, StartAt: time.Now().Add(time.Hour).Truncate(time.Microsecond), Deadline: 90*time.Minute + time.Millisecond,
	}
	tx, err := program.Begin(ctx)
	require.NoError(t, err)
	first, err := client.StartTx(ctx, tx, full)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(ctx))
	tx, err = program.Begin(ctx)
	require.NoError(t, err)
	_, err = client.StartTx(ctx, tx, client.StartRequest{Definition: "order"})
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(ctx))

	other, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	second, err := client.StartSQL(ctx, other, client.StartRequest{Definition: "order"})
	require.NoError(t, err)
	require.NoError(t, other.Commit())
	created := started(t, config.DatabaseURL, 2)
	require.Contains(t, created, first)
	require.Contains(t, created, second)

	same, err := client.New(client.Config{Server: s.URL()}).Start(ctx, full)
	require.NoError(t, err)
	require.Equal(t, first, same.ID)
	require.Equal(t, full.Labels, same.Labels)

	for _, refused := range []client.StartRequest{{Definition: "order", Version: 1}, {Definition: "order", Wait: time.Second}} {
		_, err = client.StartTx(ctx, program.Pool, refused)
		require.ErrorIs(t, err, client.ErrNotFromSQL)
	}
	_, err = client.StartTx(ctx, program.Pool, client.StartRequest{Definition: "order", Priority: 10})
	require.ErrorContains(t, err, "priority: must be 0 to 9")
}
