package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
)

// bench runs `orchestrator bench` briefly, and returns its report.
func bench(t *testing.T, environment []string, arguments ...string) loadtest.Report {
	t.Helper()
	arguments = append([]string{"bench", "--warmup", "200ms", "--duration", "1s", "--in-flight", "8", "--output", "json"}, arguments...)
	command := exec.Command(filepath.Join(programs(t), "orchestrator"), arguments...)
	command.Env = environment
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	require.NoError(t, command.Run(), "%s%s", out.String(), said.String())
	var report loadtest.Report
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&report))
	require.NotContains(t, said.String(), "\r", "a bar is for terminals")
	return report
}

func TestABenchOnRealServersReportsEveryFigureAndCleansUp(t *testing.T) {
	t.Parallel()
	server := env.Database(t)
	url, _ := env.Broker(t)
	report := bench(t, []string{"DATABASE_URL=" + server, "AMQP_URL=" + url}, "--variant", "B", "--replicas", "2")
	assert.Equal(t, "B", report.Variant)
	assert.Equal(t, 8, report.InFlight)
	assert.Positive(t, report.Sagas)
	assert.Zero(t, report.Failed)
	assert.Positive(t, report.SagasPerSecond)
	require.NotNil(t, report.Latency)
	assert.Positive(t, report.Latency.P50)
	assert.GreaterOrEqual(t, report.Latency.Max, report.Latency.P99)
	require.NotNil(t, report.WALBytes)
	assert.Positive(t, *report.WALBytes)
	assert.Positive(t, *report.WriteTransactions)
	require.NotNil(t, report.Messages)
	cut := 10 * 2 * float64(report.InFlight) / float64(report.Sagas) // messages of sagas that the window's ends cut, by saga
	assert.InDelta(t, 10, *report.Messages, 1+cut, "three steps and two compensations, each a command and a reply")
	for _, batch := range []string{"events", "commands"} {
		assert.GreaterOrEqual(t, report.Batch[batch], 1.0, batch)
	}
	for _, process := range []string{"orchestrator", "worker", "load"} {
		assert.Contains(t, report.CPU, process)
		assert.Positive(t, report.PeakRSS[process], process)
	}

	var left int
	conn, err := pgx.Connect(t.Context(), server)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname LIKE 'orchestrator\_bench\_%'`).Scan(&left))
	assert.Zero(t, left, "databases of the run")
}

func TestABenchOfTheEmbeddedOrchestratorNeedsNoServers(t *testing.T) {
	t.Parallel()
	report := bench(t, []string{"HOME=" + t.TempDir()}, "--embedded", "--rate", "40", "--steps", "2", "--parallel", "--fail-rate", "0.5")
	assert.InDelta(t, 40, report.Rate, 0)
	assert.Positive(t, report.Sagas)
	assert.Zero(t, report.Failed)
	assert.Nil(t, report.WALBytes, "the run has no Postgres")
	assert.NotContains(t, report.CPU, "worker", "the workers are in the orchestrator")
}
