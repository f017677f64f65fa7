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

func TestAxesHaveRoundNumbersThatHoldAllPointsBetweenThem(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []float64{0, 200, 400, 600, 800}, linearTicks(0, 729, 5))
	assert.Equal(t, []float64{0, 0.5, 1, 1.5}, linearTicks(0, 1.2, 4))
	assert.Equal(t, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}, linearTicks(0, 0, 5), "also where all are zero")
	assert.Equal(t, []float64{10, 20, 50, 100, 200}, logTicks(17, 143))
	assert.Equal(t, []float64{1, 10, 100, 1000, 10000}, logTicks(3, 9000))
	assert.Equal(t, []float64{10, 20}, logTicks(10, 10), "a line needs some height")
}

func TestAPictureIsTheSameForTheSamePoints(t *testing.T) {
	t.Parallel()
	s := series{title: "A < B", across: "sagas", panels: append(turnPanels(), panel{label: "nothing", lines: []string{"unmeasured"}})}
	points := []Point{
		{X: 1, Label: "1", Figures: map[string]compare.Spread{rate: compare.SpreadOf([]float64{90, 110, 100}), p50: once(7), p99: once(20)}},
		{X: 2, Label: "10 k", Figures: map[string]compare.Spread{rate: once(50)}},
	}
	picture := draw(s, points)
	assert.Equal(t, picture, draw(s, points))
	assert.Contains(t, picture, "A &lt; B")
	assert.Contains(t, picture, ">10 k<")
	assert.Contains(t, picture, ">latency, ms<")
	assert.NotContains(t, picture, "nothing", "a panel without a figure is left out")
	assert.NotContains(t, picture, "NaN")
	assert.Contains(t, picture, "prefers-color-scheme:dark")
	decoder := xml.NewDecoder(strings.NewReader(picture))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}

func TestOneFigureOfOnePointCanBeDrawn(t *testing.T) {
	t.Parallel()
	for _, continuous := range []bool{false, true} {
		s := series{continuous: continuous, panels: turnPanels()}
		assert.NotContains(t, draw(s, []Point{{Figures: map[string]compare.Spread{p99: once(0)}}}), "NaN")
	}
}

func TestALongSeriesIsShownInPart(t *testing.T) {
	t.Parallel()
	s := series{across: "s", continuous: true, columns: []column{{rate, "%.0f"}}}
	points := make([]Point, 100)
	points[99].Label = "the end"
	shown := rows(s, points)
	assert.Less(t, len(shown), 2*mostRows)
	assert.Equal(t, []string{"the end", "–"}, shown[len(shown)-1])
}
