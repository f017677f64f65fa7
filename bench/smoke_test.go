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

// TestEverybodyMakesTheirSagas keeps the benchmark from rotting: every contender takes a short turn for either variant,
// with real servers. A turn fails when a saga does not end as it should, or when the database does not say so too. How
// fast it was is not looked at.
func TestEverybodyMakesTheirSagas(t *testing.T) {
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
	assert.Len(t, result.Turns, 5*2+2, "five contenders with two variants, and two with one saga at a time")
	for _, turn := range result.Turns {
		if assert.NotNil(t, turn.Report, "%s, %s: %s", turn.Contender, turn.Cell, turn.Fault) {
			assert.Equal(t, string(turn.Variant), turn.Report.Variant)
			assert.Equal(t, turn.InFlight, turn.Report.InFlight)
			assert.NotEmpty(t, turn.Report.CPU, "%s", turn.Contender)
			assert.NotNil(t, turn.Report.WALBytes, "%s", turn.Contender)
		}
	}
	for _, name := range result.Plan.Contenders {
		assert.Contains(t, table.String(), "\n| "+name)
	}
}

func build(t *testing.T, module, target, program string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-C", module, "-o", target, program).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
