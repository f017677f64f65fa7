package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
)

// This test keeps the benchmark working: every system runs briefly in both variants, with real servers. A run fails if a
// saga does not end as expected, or if the database disagrees. The test does not check speed.
func TestEverySystemRunsItsSagas(t *testing.T) {
	folder := t.TempDir()
	bench, orchestrator := filepath.Join(folder, "bench"), filepath.Join(folder, "orchestrator")
	build(t, ".", bench, ".")
	build(t, "..", orchestrator, "./cmd/orchestrator")
	reports := filepath.Join(folder, "reports.json")

	cmd := exec.CommandContext(t.Context(), bench, "--orchestrator", orchestrator, "--in-flight", "16", "--rounds", "1",
		"--warmup", "100ms", "--duration", "1s", "--json", reports)
	var table, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &table, &log
	require.NoError(t, cmd.Run(), "%s", &log)

	content, err := os.ReadFile(reports)
	require.NoError(t, err)
	var result compare.Result
	require.NoError(t, json.Unmarshal(content, &result))
	assert.Len(t, result.Runs, 7*2+2, "seven systems with two variants, and two with one saga at a time")
	for _, run := range result.Runs {
		if assert.NotNil(t, run.Report, "%s, %s: %s", run.System, run.Cell, run.Fault) {
			assert.Equal(t, string(run.Variant), run.Report.Variant)
			assert.Equal(t, run.InFlight, run.Report.InFlight)
			assert.NotEmpty(t, run.Report.CPU, "%s", run.System)
			assert.NotNil(t, run.Report.WALBytes, "%s", run.System)
		}
	}
	for _, name := range result.Plan.Systems {
		assert.Contains(t, table.String(), "\n| "+name)
	}
}

func build(t *testing.T, module, target, program string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-C", module, "-o", target, program).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
