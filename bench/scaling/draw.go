package scaling

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Sizes of a picture, in pixels. A picture is as wide as GitHub shows a page.
const (
	width    = 780.0
	alone    = 190.0 // a panel's height, where there are few
	crowded  = 120.0
	panelGap = 46.0
	top      = 34.0
	bottom   = 48.0
	left     = 72.0
	right    = 24.0
)

// style has colours for paper and for screens that are dark; whoever knows no media query gets the light ones.
const style = `<style>
.paper{fill:#ffffff;stroke:#d1d9e0}.grid{stroke:#e4e8ec}.axis{stroke:#818b98}
text{font:12px ui-sans-serif,system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#59636e}
.name{font-weight:600;fill:#1f2328}.line{fill:none;stroke-width:2;stroke-linejoin:round}
.s0{stroke:#0969da}.s1{stroke:#bc4c00}.s2{stroke:#1a7f37}.f0{fill:#0969da}.f1{fill:#bc4c00}.f2{fill:#1a7f37}
@media (prefers-color-scheme:dark){.paper{fill:#0d1117;stroke:#3d444d}.grid{stroke:#262c36}.axis{stroke:#656c76}text{fill:#9198a1}.name{fill:#f0f6fc}
.s0{stroke:#4493f8}.s1{stroke:#f0883e}.s2{stroke:#3fb950}.f0{fill:#4493f8}.f1{fill:#f0883e}.f2{fill:#3fb950}}
</style>
`

// draw makes the picture of a series: its panels below each other, over one axis. The same points give the same bytes.
func draw(s series, points []Point) string {
	var shown []panel
	for _, p := range s.panels {
		if slices.ContainsFunc(p.lines, func(line string) bool { return len(values(points, line)) > 0 }) {
			shown = append(shown, p)
		}
	}
	panelHeight := alone
	if len(shown) > 3 {
		panelHeight = crowded
	}
	height := top + float64(len(shown))*(panelHeight+panelGap) - panelGap + bottom
	c := &canvas{}
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="%s">`+"\n",
		width, height, width, height, escaped(s.title))
	c.text.WriteString(style)
	c.printf(`<rect class="paper" x="0.5" y="0.5" width="%g" height="%g" rx="6"/>`+"\n", width-1, height-1)
	across := newAcross(s, points)
	for i, p := range shown {
		from := top + float64(i)*(panelHeight+panelGap)
		c.panel(p, points, across, from, panelHeight)
		across.draw(c, from+panelHeight, i == len(shown)-1)
	}
	c.label((left+width-right)/2, height-12, "middle", "", s.across)
	c.text.WriteString("</svg>\n")
	return c.text.String()
}

// canvas is a picture that is being made.
type canvas struct{ text strings.Builder }

func (c *canvas) printf(format string, values ...any) { fmt.Fprintf(&c.text, format, values...) }

func (c *canvas) label(x, y float64, anchor, class, text string) {
	c.printf(`<text x="%s" y="%s" text-anchor="%s" class="%s">%s</text>`+"\n", pixel(x), pixel(y), anchor, class, escaped(text))
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.printf(`<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", class, pixel(x1), pixel(y1), pixel(x2), pixel(y2))
}

// panel draws one panel: its grid, and a line for every figure.
func (c *canvas) panel(p panel, points []Point, across across, from, height float64) {
	up := newUp(p, points, from+height, height)
	for _, tick := range up.ticks {
		y := up.place(tick)
		c.line("grid", left, y, width-right, y)
		c.label(left-8, y+4, "end", "", written(tick))
	}
	c.label(left, from-10, "start", "name", p.label)
	for i, name := range p.lines {
		if len(p.lines) > 1 {
			x := width - right - float64(len(p.lines)-1-i)*legendWidth(p.lines)
			c.printf(`<text x="%s" y="%s" text-anchor="end" class="f%d">%s</text>`+"\n", pixel(x), pixel(from-10), i, escaped(name))
		}
		c.figure(i, name, points, across, up)
	}
}

// legendWidth is enough for the longest name.
func legendWidth(names []string) float64 {
	longest := 0
	for _, name := range names {
		longest = max(longest, len(name))
	}
	return float64(longest)*6.6 + 18
}

// figure draws one line, with a mark for every point and a bar from the least to the most of its rounds.
func (c *canvas) figure(colour int, name string, points []Point, across across, up up) {
	var path []string
	for i, p := range points {
		spread := p.Figures[name]
		if spread.Rounds == 0 {
			continue
		}
		x, y := across.place(i, p), up.place(spread.Median)
		path = append(path, pixel(x)+","+pixel(y))
		if spread.Rounds > 1 {
			c.printf(`<line class="s%d" x1="%s" y1="%s" x2="%s" y2="%s" stroke-opacity="0.45" stroke-width="5"/>`+"\n",
				colour, pixel(x), pixel(up.place(spread.Least)), pixel(x), pixel(up.place(spread.Most)))
		}
		if len(points) <= 40 {
			c.printf(`<circle class="f%d" cx="%s" cy="%s" r="3.5"/>`+"\n", colour, pixel(x), pixel(y))
		}
	}
	c.printf(`<polyline class="line s%d" points="%s"/>`+"\n", colour, strings.Join(path, " "))
}

func values(points []Point, name string) []float64 {
	var found []float64
	for _, p := range points {
		if spread := p.Figures[name]; spread.Rounds > 0 {
			found = append(found, spread.Least, spread.Most)
		}
	}
	return found
}

// pixel is a coordinate, with what an eye can tell.
func pixel(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// written is a number at an axis.
func written(v float64) string {
	switch {
	case math.Abs(v) >= 1_000_000:
		return fmt.Sprintf("%g M", math.Round(v/10_000)/100)
	case math.Abs(v) >= 10_000:
		return fmt.Sprintf("%g k", math.Round(v/100)/10)
	default:
		return fmt.Sprintf("%g", v)
	}
}

func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}
