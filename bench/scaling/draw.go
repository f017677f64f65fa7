package scaling

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Sizes of a chart, in points: GitHub shows a page 585 points wide.
const (
	width    = 585
	tall     = 135 // height of a panel in charts of up to three panels
	low      = 90  // height of a panel in charts of more panels
	panelGap = 12
	margin   = 10
)

// lineColors returns the colors of a panel's lines, in order.
func lineColors() []color.Color {
	return []color.Color{color.RGBA{9, 105, 218, 255}, color.RGBA{188, 76, 0, 255}, color.RGBA{26, 127, 55, 255}}
}

// chart draws a series as SVG: one panel per group of figures, over a common x axis. It omits panels without points. The
// same points give the same bytes.
func chart(s series, points []Point) string {
	var panels [][]*plot.Plot
	right := vg.Length(margin)
	for _, p := range s.panels {
		if len(values(points, p.lines...)) == 0 {
			continue
		}
		drawn := p.plot(s, points)
		panels = append(panels, []*plot.Plot{drawn})
		for _, name := range p.lines {
			if len(p.lines) > 1 { // the legend stands to the right of the panel
				right = max(right, margin+drawn.Legend.TextStyle.Width(name)+drawn.Legend.ThumbnailWidth+2*margin)
			}
		}
	}
	if len(panels) == 0 {
		return ""
	}
	height := vg.Length(tall)
	if len(panels) > 3 {
		height = low
	}
	for _, above := range panels[:len(panels)-1] { // only the last panel labels the x axis
		above[0].X.Label.Text = ""
		above[0].X.Tick.Marker = unlabelled{above[0].X.Tick.Marker}
	}
	rows := vg.Length(len(panels))
	svg := vgsvg.New(width, rows*height+(rows-1)*panelGap+2*margin+30)
	tiles := draw.Tiles{
		Rows: len(panels), Cols: 1, PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: right, PadY: panelGap,
	}
	canvas := draw.New(svg)
	canvas.FillPolygon(color.White, []vg.Point{canvas.Min, {X: canvas.Min.X, Y: canvas.Max.Y}, canvas.Max, {X: canvas.Max.X, Y: canvas.Min.Y}})
	for i, row := range plot.Align(panels, tiles, canvas) {
		panels[i][0].Legend.XOffs = right - margin
		panels[i][0].Draw(row[0])
	}
	var text strings.Builder
	_, _ = svg.WriteTo(&text) // a strings.Builder returns no errors
	// Few browsers have the font that gonum measures text with. Arial and Helvetica have the same widths.
	return strings.ReplaceAll(text.String(), "Liberation Sans;", "Liberation Sans,Arial,Helvetica,sans-serif;")
}

// plot returns the panel's axes, grid, lines and legend.
func (p panel) plot(s series, points []Point) *plot.Plot {
	result := plot.New()
	result.BackgroundColor = nil
	sans := font.Font{Typeface: "Liberation", Variant: "Sans", Size: 9}
	result.X.Label.TextStyle.Font, result.X.Tick.Label.Font = sans, sans
	result.Y.Label.TextStyle.Font, result.Y.Tick.Label.Font = sans, sans
	result.Legend.TextStyle.Font = sans
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, color.Gray{215}
	result.Add(grid)
	for i, name := range p.lines {
		result.Add(p.line(i, s, points)...)
		if len(p.lines) > 1 {
			result.Legend.Add(name, &plotter.Line{LineStyle: lineStyle(i)})
		}
	}
	result.Legend.Top, result.Legend.Padding = true, 3
	s.axis(&result.X, points)
	p.axis(&result.Y, points)
	return result
}

func lineStyle(i int) draw.LineStyle { return draw.LineStyle{Color: lineColors()[i], Width: 1.5} }

// line returns the line of a figure, with a mark per point and a bar from the minimum to the maximum of its rounds.
func (p panel) line(i int, s series, points []Point) []plot.Plotter {
	var medians plotter.XYs
	var spreads plotter.YErrors
	for n, point := range points {
		spread := point.Figures[p.lines[i]]
		if spread.Rounds == 0 {
			continue
		}
		x := float64(n)
		if s.continuous {
			x = point.X
		}
		medians = append(medians, plotter.XY{X: x, Y: spread.Median})
		spreads = append(spreads, struct{ Low, High float64 }{spread.Median - spread.Least, spread.Most - spread.Median})
	}
	style := lineStyle(i)
	plotters := []plot.Plotter{&plotter.Line{XYs: medians, LineStyle: style}}
	if s.continuous { // too many points for marks
		return plotters
	}
	style.Width = 1
	return append(plotters,
		&plotter.YErrorBars{XYs: medians, YErrors: spreads, LineStyle: style, CapWidth: 5},
		&plotter.Scatter{XYs: medians, GlyphStyle: draw.GlyphStyle{Color: style.Color, Radius: 2.5, Shape: draw.CircleGlyph{}}})
}

// axis sets the range and ticks of the x axis.
func (s series) axis(x *plot.Axis, points []Point) {
	x.Label.Text, x.Padding = s.across, 0
	if s.continuous {
		x.Min, x.Max = 0, 1
		for _, p := range points {
			x.Max = max(x.Max, p.X)
		}
		x.Tick.Marker = readable{}
		return
	}
	x.Min, x.Max = -0.5, float64(len(points))-0.5
	var ticks plot.ConstantTicks
	for i, p := range points {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: p.Label})
	}
	x.Tick.Marker = ticks
}

// axis sets the range and ticks of the y axis. A logarithmic axis needs positive values.
func (p panel) axis(y *plot.Axis, points []Point) {
	y.Label.Text, y.Padding = p.label, 0
	all := values(points, p.lines...)
	if !p.log || slices.Min(all) <= 0 {
		y.Min, y.Max, y.Tick.Marker = 0, slices.Max(all), readable{}
		if y.Max == 0 {
			y.Max = 1
		}
		return
	}
	ticks := logTicks(slices.Min(all), slices.Max(all))
	y.Min, y.Max, y.Tick.Marker, y.Scale = ticks[0].Value, ticks[len(ticks)-1].Value, ticks, plot.LogScale{}
}

// values returns the minimum and maximum of these figures at every point.
func values(points []Point, names ...string) []float64 {
	var found []float64
	for _, p := range points {
		for _, name := range names {
			if spread := p.Figures[name]; spread.Rounds > 0 {
				found = append(found, spread.Least, spread.Most)
			}
		}
	}
	return found
}

// readable is a linear axis whose labels have at most four digits.
type readable struct{ plot.DefaultTicks }

func (r readable) Ticks(least, most float64) []plot.Tick {
	ticks := r.DefaultTicks.Ticks(least, most)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = written(ticks[i].Value)
		}
	}
	return ticks
}

// unlabelled removes the labels of an axis.
type unlabelled struct{ plot.Ticker }

func (u unlabelled) Ticks(least, most float64) []plot.Tick {
	ticks := slices.Clone(u.Ticker.Ticks(least, most))
	for i := range ticks {
		ticks[i].Label = ""
	}
	return ticks
}

// logTicks returns 1, 2 and 5 times the powers of ten, from the last one up to least to the first one from most. It returns
// only the powers if the range is large.
func logTicks(least, most float64) plot.ConstantTicks {
	steps := []float64{1, 2, 5}
	if most/least > 1000 {
		steps = []float64{1}
	}
	var ticks plot.ConstantTicks
	for power := math.Floor(math.Log10(least)); ; power++ {
		for _, step := range steps {
			tick := step * math.Pow(10, power)
			if tick <= least {
				ticks = nil
			}
			ticks = append(ticks, plot.Tick{Value: tick, Label: written(tick)})
			if tick >= most && len(ticks) > 1 {
				return ticks
			}
		}
	}
}

// written formats the label of a tick.
func written(v float64) string {
	switch {
	case math.Abs(v) >= 1_000_000:
		return fmt.Sprintf("%g M", math.Round(v/10_000)/100)
	case math.Abs(v) >= 10_000:
		return fmt.Sprintf("%g k", math.Round(v/100)/10)
	default:
		return fmt.Sprintf("%.4g", v)
	}
}
