package workers

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/workercheck"
)

// service creates the database of a service, as examples/workers/README.md says.
func service(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), env.Database(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	for _, file := range []string{"../../../steps/barrier.sql", filepath.Join(examples, "schema.sql")} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = pool.Exec(t.Context(), string(content))
		require.NoError(t, err)
	}
	return pool
}

// declare declares the worker queues of a new prefix.
func declare(t *testing.T, queues ...string) (url, prefix string) {
	t.Helper()
	url, prefix = env.Broker(t, queues...)
	// Workers that are killed often must not lose their commands to the limit.
	broker := rabbit.Connect(rabbit.Config{URL: url, Prefix: prefix, Logger: slog.New(slog.DiscardHandler), DeliveryLimit: 1000})
	require.Eventually(t, func() bool { return broker.Ready() == nil }, time.Minute, 10*time.Millisecond)
	require.NoError(t, broker.DeclareQueues(t.Context(), queues))
	require.NoError(t, broker.Close(context.Background()))
	return url, prefix
}

func TestEachExampleWorkerPassesTheCheck(t *testing.T) {
	t.Parallel()
	for _, l := range languages(t) {
		l.prepare(t)
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			pool := service(t)
			url, prefix := declare(t, l.queue)
			l.start(t, url, prefix, pool.Config().ConnString())
			report, err := workercheck.Run(t.Context(), workercheck.Options{
				URL: url, Prefix: prefix, Queue: l.queue, Command: l.command, Compensation: l.compensation,
				Data: []byte(`{"amount":120}`), Timeout: time.Minute,
			})
			require.NoError(t, err)
			for _, v := range report.Verdicts {
				t.Logf("%-28s %-8s %s", v.Point, v.Grade, v.Seen)
				assert.Equal(t, workercheck.Pass, v.Grade, "%s: %s", v.Point, v.Seen)
			}
			var entries, keys, sum int
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT key), sum(amount) FROM ledger").Scan(&entries, &keys, &sum))
			assert.Equal(t, keys, entries, "one entry for each key")
			assert.Zero(t, sum, "the check compensates what it has made the worker do")
		})
	}
}

// The examples are short enough to be read at once.
func TestEachExampleWorkerHasFewerThan80Lines(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"python/worker.py", "node/worker.js", "java/Worker.java"} {
		content, err := os.ReadFile(filepath.Join(examples, file))
		require.NoError(t, err)
		lines := 0
		for _, c := range content {
			if c == '\n' {
				lines++
			}
		}
		assert.Less(t, lines, 80, file)
	}
}
