package ui

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// chart is the throughput of the last hour: a column per minute.
type chart struct {
	Columns       []column
	Top           int64 // the value at the upper edge
	From, To      any
	Started, Done int64
	Mark          float64 // percent from the left at which the last column begins
}

// column is a minute. Heights are percentages of the chart.
type column struct {
	X, Width                     float64
	Completed, Compensated, Lost part
	Started                      float64 // the height of the mark for those that started
	Title                        string
}

type part struct{ Y, Height float64 }

// viewChart draws the throughput.
func viewChart(minutes []resource.Minute) chart {
	drawn := chart{Top: 1}
	for _, m := range minutes {
		drawn.Top = max(drawn.Top, m.Started, m.Completed+m.Compensated+m.Abandoned)
		drawn.Started += m.Started
		drawn.Done += m.Completed + m.Compensated + m.Abandoned
	}
	drawn.Top = roundUp(drawn.Top)
	width := 100 / float64(max(1, len(minutes)))
	for i, m := range minutes {
		height := func(n int64) float64 { return 100 * float64(n) / float64(drawn.Top) }
		c := column{X: float64(i)*width + width*0.12, Width: width * 0.76, Started: 100 - height(m.Started)}
		top := 100.0
		stack := func(n int64) part {
			top -= height(n)
			return part{Y: top, Height: height(n)}
		}
		c.Completed, c.Compensated, c.Lost = stack(m.Completed), stack(m.Compensated), stack(m.Abandoned)
		c.Title = fmt.Sprintf("%s UTC: %d started, %d completed, %d compensated, %d abandoned",
			m.At.UTC().Format("15:04"), m.Started, m.Completed, m.Compensated, m.Abandoned)
		drawn.Columns = append(drawn.Columns, c)
	}
	if len(minutes) > 0 {
		drawn.From, drawn.To = minutes[0].At, minutes[len(minutes)-1].At
	}
	return drawn
}

// roundUp returns the next number that is 1, 2 or 5 times a power of ten.
func roundUp(n int64) int64 {
	for unit := int64(1); ; unit *= 10 {
		for _, factor := range []int64{1, 2, 5} {
			if unit*factor >= n {
				return unit * factor
			}
		}
	}
}

// sparkline is a line through values, as points of an SVG polyline of 100 by 24.
type sparkline struct {
	Points string
	Area   string
	Top    int64
	Last   int64
}

func viewSparkline(values []int64) sparkline {
	line := sparkline{Top: 1}
	for _, value := range values {
		line.Top = max(line.Top, value)
		line.Last = value
	}
	for i, value := range values {
		x := 100 * float64(i) / float64(max(1, len(values)-1))
		line.Points += fmt.Sprintf("%.1f,%.1f ", x, 23-22*float64(value)/float64(line.Top))
	}
	if len(values) > 0 {
		line.Area = "0,24 " + line.Points + "100,24"
	}
	return line
}
