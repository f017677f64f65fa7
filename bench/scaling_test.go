package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/bench/scaling"
)

// This test measures every series at tiny sizes, with real servers. It does not check speed.
func TestEverySeriesHasPointsATableAndAChart(t *testing.T) {
	folder := t.TempDir()
	bench, orchestrator, out := filepath.Join(folder, "bench"), filepath.Join(folder, "orchestrator"), filepath.Join(folder, "out")
	build(t, ".", bench, ".")
	build(t, "..", orchestrator, "./cmd/orchestrator")
	sizes := strings.Fields("--rounds 1 --warmup 100ms --duration 1s --load 4 --in-flight 1,4 --steps 1,2 --payload 10,1000 " +
		"--replicas 2 --finished 0,90 --waiting 0,90 --rates 50 --backlog 50 --idle 1s --soak 2s --sample 500ms")
	cmd := exec.CommandContext(t.Context(), bench, append(append([]string{"growth", "--orchestrator", orchestrator, "--out", out},
		sizes...), scaling.Names()...)...)
	var said, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &log
	require.NoError(t, cmd.Run(), "%s", &log)

	content, err := os.ReadFile(filepath.Join(out, "points.json"))
	require.NoError(t, err)
	var results map[string]scaling.Result
	require.NoError(t, json.Unmarshal(content, &results))
	page, err := os.ReadFile(filepath.Join(out, "README.md"))
	require.NoError(t, err)
	for _, name := range scaling.Names() {
		assert.NotEmpty(t, results[name].Points, "%s", name)
		if chart := name + ".svg"; name != "idle" { // a list of statements, without a chart
			assert.Contains(t, string(page), "]("+chart+")")
			assert.FileExists(t, filepath.Join(out, chart))
		}
	}
	for _, judged := range []string{"open-loop", "finished", "waiting", "startup", "idle", "backlog", "soak"} {
		assert.Contains(t, said.String(), judged+": ", "every target has a verdict")
	}
	assert.Contains(t, said.String(), "met: sagas that did not complete; wanted at most 0, got 0")
}
