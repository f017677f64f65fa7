package scaling

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
)

func TestTicksAreRoundNumbersAroundAllPoints(t *testing.T) {
	t.Parallel()
	labels := func(least, most float64) (all []string) {
		for _, tick := range logTicks(least, most) {
			all = append(all, tick.Label)
		}
		return all
	}
	assert.Equal(t, []string{"10", "20", "50", "100", "200"}, labels(17, 143))
	assert.Equal(t, []string{"1", "10", "100", "1000", "10 k"}, labels(3, 9000))
	assert.Equal(t, []string{"10", "20"}, labels(10, 10), "a flat line needs some height, too")
	assert.Equal(t, []string{"0", "0.025", "1200", "12.5 k", "10 M"},
		[]string{written(0), written(0.0250001), written(1200), written(12_500), written(10_000_000)})
}

func TestTheSamePointsGiveTheSameChart(t *testing.T) {
	t.Parallel()
	s := series{across: "A < B", panels: append(turnPanels(), panel{label: "unmeasured", lines: []string{"nothing"}})}
	points := []Point{
		{X: 1, Label: "1", Figures: map[string]compare.Spread{rate: compare.SpreadOf([]float64{90, 110, 100}), p50: once(7), p99: once(20)}},
		{X: 2, Label: "10 k", Figures: map[string]compare.Spread{rate: once(50)}},
	}
	picture := chart(s, points)
	assert.Equal(t, picture, chart(s, points))
	for _, text := range []string{"A &lt; B", "10 k", "latency, ms", p99} {
		assert.Equal(t, 1, strings.Count(picture, ">"+text+"<"), text)
	}
	assert.NotContains(t, picture, "unmeasured", "a panel without points is omitted")
	assert.NotContains(t, picture, "NaN")
	decoder := xml.NewDecoder(strings.NewReader(picture))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}

func TestASinglePointCanBeDrawn(t *testing.T) {
	t.Parallel()
	for _, continuous := range []bool{false, true} {
		s := series{continuous: continuous, panels: turnPanels()}
		assert.NotContains(t, chart(s, []Point{{Figures: map[string]compare.Spread{p99: once(0)}}}), "NaN")
	}
}

func TestTheTableOfALongSeriesIsThinned(t *testing.T) {
	t.Parallel()
	s := series{across: "s", continuous: true, columns: []column{{rate, "%.0f"}}}
	points := make([]Point, 100)
	points[99].Label = "the end"
	shown := rows(s, points)
	assert.Less(t, len(shown), 2*mostRows)
	assert.Equal(t, []string{"the end", "–"}, shown[len(shown)-1])
}
