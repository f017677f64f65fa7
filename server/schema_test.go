package server_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// The tables stand in a schema of the program's database, and the program starts sagas in its own transactions.
func TestAnOrchestratorInASchemaOfItsOwn(t *testing.T) {
	t.Parallel()
	databaseURL := env.Database(t)
	amqpURL, prefix := env.Broker(t, "hotels")
	pool, err := pgxpool.New(t.Context(), inSchema(databaseURL, "public,orchestrator"))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "create schema orchestrator; create table sagas (mine text)")
	require.NoError(t, err)
	s, end := alone(t, server.Config{
		DatabaseURL: inSchema(databaseURL, "orchestrator"), Migrate: true, AMQPURL: amqpURL, AMQPPrefix: prefix, StartPoll: server.MinStartPoll,
	})
	c := s.Client("the shop")
	_, err = c.Register(t.Context(), saga.New("trip").WaitForSignal("approval", "approve").MustBuild())
	require.NoError(t, err)

	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "insert into sagas values ('of the program')")
	require.NoError(t, err)
	id, err := client.StartTx(t.Context(), tx, client.StartRequest{Definition: "trip"})
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	require.Eventually(t, func() bool {
		started, err := c.Saga(t.Context(), id)
		return err == nil && started.Status == saga.Running
	}, 30*time.Second, 20*time.Millisecond)
	_, err = c.Signal(t.Context(), id, "approve", client.SignalOptions{})
	require.NoError(t, err)
	done, err := c.Saga(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, saga.Completed, done.Status)
	end()
}
