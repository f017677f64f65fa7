package workers

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// order is the data of a saga, with what the services of this test add.
type order struct {
	Amount int `json:"amount"`
}

// most is the amount above which a service in Go refuses, as the worker in the other language does.
func most(queue string) int {
	if queue == "shipping" {
		return 500
	}
	return 1000
}

// startGo runs a worker in this process, behind the barrier for database/sql, on the ledger of a service.
func startGo(t *testing.T, url, prefix, queue, command, compensation string, pool *pgxpool.Pool) {
	t.Helper()
	db := stdlib.OpenDBFromPool(pool)
	barrier, w := steps.NewSQLBarrier(db), steps.NewWorker(queue, steps.Config{IgnoreDeadline: true})
	entry := func(ctx context.Context, tx steps.SQLTx, cmd steps.Command[order], amount int, ref *int64) (id int64, err error) {
		err = tx.QueryRowContext(ctx, "INSERT INTO ledger (key, entry, amount, ref) VALUES ($1, $2, $3, $4) RETURNING id",
			cmd.IdempotencyKey, cmd.Name, amount, ref).Scan(&id)
		return id, err
	}
	steps.HandleSQL(w, barrier, command, func(ctx context.Context, tx steps.SQLTx, cmd steps.Command[order]) (map[string]int64, error) {
		if cmd.Data.Amount > most(queue) {
			return nil, steps.Fail("too_much", "more than the service takes")
		}
		id, err := entry(ctx, tx, cmd, cmd.Data.Amount, nil)
		return map[string]int64{queue: id}, err
	})
	steps.HandleSQL(w, barrier, compensation, func(ctx context.Context, tx steps.SQLTx, cmd steps.Command[order]) (steps.None, error) {
		var output map[string]int64
		if _, err := cmd.DecodeOutput(&output); err != nil {
			return steps.None{}, err
		}
		id := output[queue]
		_, err := entry(ctx, tx, cmd, -cmd.Data.Amount, &id)
		return steps.None{}, err
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, w.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: url, Prefix: prefix}))) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		assert.NoError(t, db.Close())
	})
}

// line is an entry of a ledger.
type line struct {
	ID     int64
	Key    string
	Amount int64
	Ref    sql.NullInt64
}

// checkLedger compares a service's own table with the ends of the sagas.
func checkLedger(t *testing.T, service string, pool *pgxpool.Pool, ends map[string]saga.Status) (effects int) {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT id, key, amount, ref FROM ledger")
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[line])
	require.NoError(t, err)
	forward, back, keys := map[string][]line{}, map[string][]line{}, map[string]int{}
	for _, l := range lines {
		id, rest, _ := strings.Cut(l.Key, "/")
		keys[l.Key]++
		if _, known := ends[id]; !known || keys[l.Key] > 1 {
			t.Errorf("%s: the key %s has %d effects; its saga is known: %t", service, l.Key, keys[l.Key], known)
		}
		if _, action, _ := strings.Cut(rest, "/"); strings.HasPrefix(action, "execute") {
			forward[id] = append(forward[id], l)
		} else {
			back[id] = append(back[id], l)
		}
	}
	for id, status := range ends {
		if status == saga.Completed {
			assert.Len(t, forward[id], 1, "%s: effects of the completed saga %s", service, id)
			assert.Empty(t, back[id], "%s: compensations of the completed saga %s", service, id)
			continue
		}
		if assert.Len(t, back[id], len(forward[id]), "%s: compensations of the compensated saga %s", service, id) && len(back[id]) == 1 {
			assert.Equal(t, forward[id][0].ID, back[id][0].Ref.Int64, "%s: what saga %s compensates", service, id)
			assert.Equal(t, -forward[id][0].Amount, back[id][0].Amount, "%s: saga %s", service, id)
		}
	}
	return len(lines)
}
