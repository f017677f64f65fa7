package scaling

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// at returns a point with one figure.
func at(x float64, figure string, value float64) Point {
	return Point{X: x, Label: thousands(int(x)), Figures: map[string]compare.Spread{figure: once(value)}}
}

func TestVerdictsCompareFiguresWithTargets(t *testing.T) {
	t.Parallel()
	verdictsOf := make(map[string]func([]Point) []Verdict)
	for _, s := range all() {
		verdictsOf[s.name] = s.verdicts
	}
	for _, c := range []struct {
		series   string
		figure   string
		x        float64
		met, not float64
	}{
		{"finished", ofEmpty, 10_000_000, 0.9, 0.89},
		{"waiting", ofEmpty, 1_000_000, 0.95, 0.5},
		{"startup", ready, 1_000_000, 1.9, 2.1},
		{"open-loop", p99, 50, 49, 51},
		{"idle", idleCPU, 0, 0.9, 1.1},
		{"idle", everySecond, 0, 1, 10},
		{"backlog", peakMemory, 0, 255, 257},
		{"backlog", lost, 0, 0, 1},
	} {
		for value, met := range map[float64]bool{c.met: true, c.not: false} {
			verdicts := verdictsOf[c.series]([]Point{at(c.x, c.figure, value)})
			require.Len(t, verdicts, 1, "%s %s", c.series, c.figure)
			assert.Equal(t, met, verdicts[0].Met, "%s", verdicts[0])
		}
	}
}

func TestUnmeasuredSeriesHaveNoVerdicts(t *testing.T) {
	t.Parallel()
	for _, s := range all() {
		assert.Empty(t, s.verdicts(nil), s.name)
		assert.Empty(t, s.verdicts([]Point{{}}), s.name)
	}
}

func TestASoakIsFlatIfItsLastThirdMatchesItsFirst(t *testing.T) {
	t.Parallel()
	run := func(figure string, values ...float64) (met bool) {
		points := []Point{at(0, figure, 1)} // the first point is skipped
		for i, value := range values {
			points = append(points, at(float64(i+1), figure, value))
		}
		for _, v := range soakVerdicts(points) {
			if v.What == figure+", from the first third to the last" {
				return v.Met
			}
		}
		return false
	}
	assert.True(t, run(memory, 100, 900, 105), "the middle third does not count")
	assert.False(t, run(memory, 100, 100, 120))
	assert.True(t, run(memory, 120, 120, 100), "less memory is fine")
	assert.False(t, run(rate, 120, 120, 100), "less throughput is not")
}

func TestUnknownFiguresAreAbsent(t *testing.T) {
	t.Parallel()
	found := figures([]loadtest.Report{
		{SagasPerSecond: 90, CPU: map[string]float64{loadtest.Total: 2}},
		{SagasPerSecond: 110, Latency: &loadtest.Percentiles{P50: 7, P99: 30}},
	})
	assert.InDelta(t, 100, found[rate].Median, 0)
	assert.Equal(t, 1, found[cpu].Rounds)
	assert.InDelta(t, 30, found[p99].Median, 0)
	assert.NotContains(t, found, wal)
}

func TestThousandsAreReadable(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 1024: "1024", 10_000: "10 k", 100_000: "100 k", 1_000_000: "1 M", 12_500_000: "12.5 M", 123_456: "123456"} {
		assert.Equal(t, want, thousands(n))
	}
}
