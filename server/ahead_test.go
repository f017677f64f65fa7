package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// An edit by hand, or a clock that was set back, has made a command wait without end.
func TestAServerEndsWaitsThatAreTooLong(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true}
	s, _ := serving(t, config)
	ready(t, s)
	status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/order", `{"steps":[{"name":"do","command":"work.do"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	status, answer = request(t, http.MethodPatch, s.URL()+"/v1/queues/work", `{"paused":true}`)
	require.Equal(t, http.StatusOK, status, answer)
	status, answer = request(t, http.MethodPost, s.URL()+"/v1/sagas", `{"definition":"order"}`)
	require.Equal(t, http.StatusCreated, status, answer)
	conn, err := pgx.Connect(t.Context(), config.DatabaseURL)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	const held = `select count(*) from outbox where held_rank is not null and claimed_until = 'infinity'`
	holds := func() bool {
		var n int
		return assert.NoError(t, conn.QueryRow(t.Context(), held).Scan(&n)) && n == 1
	}
	require.Eventually(t, holds, patience, 50*time.Millisecond)
	_, err = conn.Exec(t.Context(), `update outbox set held_rank = null, attempts = 0`)
	require.NoError(t, err)
	require.Eventually(t, holds, patience, 50*time.Millisecond, "the pause of its queue holds it back again, as it does what is due")
}
