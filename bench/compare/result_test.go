package compare

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/bench/system"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

func TestRatiosCompareRunsOfTheSameRound(t *testing.T) {
	r := found(
		took(0, Ours, 1000), took(0, "naive", 500),
		took(1, Ours, 300), took(1, "naive", 100), // the machine was busy and slowed both down
		took(2, Ours, 1000), failed(2, "naive"),
	)
	assert.Equal(t, Spread{Median: 2.5, Least: 2, Most: 3, Rounds: 2}, r.ratio(cellOf(r), Ours, "naive"))
}

func TestSpread(t *testing.T) {
	assert.Equal(t, Spread{}, SpreadOf(nil))
	assert.Equal(t, Spread{Median: 2, Least: 1, Most: 9, Rounds: 3}, SpreadOf([]float64{9, 1, 2}))
	assert.Equal(t, Spread{Median: 2.5, Least: 1, Most: 9, Rounds: 4}, SpreadOf([]float64{9, 1, 2, 3}))
	assert.Equal(t, "–", SpreadOf(nil).Show("%.0f"))
	assert.Equal(t, "7", SpreadOf([]float64{7}).Show("%.0f"))
	assert.Equal(t, "2 (1–9)", SpreadOf([]float64{9, 1, 2}).Show("%.0f"))
}

func TestTheTableHasARowPerSystemAndShowsFailedRuns(t *testing.T) {
	wal := 2500.0
	full := took(0, Ours, 1200)
	full.Report.CPU = map[string]float64{"orchestrator": 0.5, "rabbitmq": 0.6, loadtest.Total: 1.1}
	full.Report.WALBytes = &wal
	full.Report.Latency = &loadtest.Percentiles{P50: 41.25, P99: 80}
	var out strings.Builder
	require.NoError(t, found(full, failed(0, "naive"), took(0, Roofline, 1600)).WriteMarkdown(&out))

	_, table, isThere := strings.Cut(out.String(), "**A: all three steps succeed, 64 in flight**\n\n")
	require.True(t, isThere, out.String())
	assert.Equal(t, `
|                        | sagas/s | of the roofline | ours ÷ it | p50 ms | p99 ms | CPU ms/saga | orchestrator | rabbitmq | WAL B/saga | write tx/saga | commits/saga |
|---|---|---|---|---|---|---|---|---|---|---|---|
| ours                   | 1200    | 0.75            | 1.00      | 41.2   | 80.0   | 1.10        | 0.50         | 0.60     | 2500       | –             | –            |
| naive (runs FAILED: 1) | –       | –               | –         | –      | –      | –           | –            | –        | –          | –             | –            |
| roofline               | 1600    | 1.00            | 0.75      | –      | –      | –           | –            | –        | –          | –             | –            |
`, "\n"+table)
}

func found(runs ...Run) Result {
	return Result{
		Plan: Plan{
			Systems: []string{Ours, "naive", Roofline}, Variants: []system.Variant{system.Succeeding}, InFlight: []int{64}, Rounds: 1,
		},
		Runs: runs,
	}
}

func cellOf(r Result) Cell { return r.Plan.cells()[0] }

func took(round int, name string, rate float64) Run {
	return Run{
		Cell: Cell{system.Succeeding, 64}, Round: round, System: name, Report: &loadtest.Report{Name: name, SagasPerSecond: rate},
	}
}

func failed(round int, name string) Run {
	return Run{Cell: Cell{system.Succeeding, 64}, Round: round, System: name, Fault: "it did not work"}
}
