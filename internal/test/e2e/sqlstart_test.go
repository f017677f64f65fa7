package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Replicas are killed while they take in starts from SQL. Every start whose transaction committed is one saga, and its
// command is sent for that saga only.
func TestStartsFromSQLSurviveKilledReplicas(t *testing.T) {
	t.Parallel()
	const rounds, batch = 4, 150
	fx := newFixture(t)
	address := freeAddress(t)
	replica, a := fx.serve(address)
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/letter", map[string]any{"steps": []any{
		map[string]any{"name": "receipt", "queue": "orders", "command": "email.receipt"},
	}}, nil)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, fx.databaseURL)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(ctx))
	count := func(query string) (found int) {
		require.NoError(t, conn.QueryRow(ctx, query).Scan(&found))
		return found
	}
	_, err = conn.Exec(ctx, `create table asked (id text primary key)`)
	require.NoError(t, err)
	for round := range rounds {
		_, err = conn.Exec(ctx, fmt.Sprintf(`insert into asked select saga_start('letter', '{}', case when n %% 2 = 0 then '%d-' || n end)
			from generate_series(1, %d) n`, round, batch))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return count(`select count(*) from sagas`) > round*batch }, settled, time.Millisecond)
		replica.kill()
		replica, _ = fx.serve(address)
	}
	require.Eventually(t, func() bool { return count(`select count(*) from start_requests`) == 0 }, settled, 50*time.Millisecond)
	assert.Equal(t, rounds*batch, count(`select count(*) from asked`))
	assert.Equal(t, rounds*batch, count(`select count(*) from asked join sagas using (id)`))
	assert.Equal(t, rounds*batch, count(`select count(*) from sagas`))
	assert.Equal(t, rounds*batch, count(`select count(*) from saga_history where type = 'saga.started'`))
	assert.Zero(t, count(`select count(*) from dead_letters`))
}
