package scaling

import (
	"math"
	"slices"
)

// across places points from left to right.
type across struct {
	continuous bool
	labels     []string // side by side
	least      float64  // continuous
	most       float64
}

func newAcross(s series, points []Point) across {
	a := across{continuous: s.continuous}
	for _, p := range points {
		a.labels = append(a.labels, p.Label)
		a.most = max(a.most, p.X)
	}
	return a
}

func (a across) place(i int, p Point) float64 {
	if a.continuous {
		return a.at(p.X)
	}
	slot := (width - left - right) / float64(len(a.labels))
	return left + slot*(float64(i)+0.5)
}

func (a across) at(x float64) float64 {
	if a.most <= a.least {
		return left
	}
	return left + (width-left-right)*(x-a.least)/(a.most-a.least)
}

// draw draws the axis under a panel, with words where it is the last.
func (a across) draw(c *canvas, y float64, words bool) {
	c.line("axis", left, y, width-right, y)
	if a.continuous {
		for _, tick := range linearTicks(a.least, a.most, 8) {
			if tick > a.most {
				continue // the ticks go on to a round number, the points do not
			}
			c.line("axis", a.at(tick), y, a.at(tick), y+4)
			if words {
				c.label(a.at(tick), y+18, "middle", "", written(tick))
			}
		}
		return
	}
	for i, label := range a.labels {
		x := a.place(i, Point{})
		c.line("axis", x, y, x, y+4)
		if words {
			c.label(x, y+18, "middle", "", label)
		}
	}
}

// up places values from the bottom of a panel to its top.
type up struct {
	bottom, height float64
	least, most    float64
	log            bool
	ticks          []float64
}

func newUp(p panel, points []Point, bottom, height float64) up {
	var all []float64
	for _, line := range p.lines {
		all = append(all, values(points, line)...)
	}
	u := up{bottom: bottom, height: height, log: p.log && slices.Min(all) > 0}
	if u.log {
		u.ticks = logTicks(slices.Min(all), slices.Max(all))
	} else {
		u.ticks = linearTicks(0, slices.Max(all), max(2, int(height/40)))
	}
	u.least, u.most = u.ticks[0], u.ticks[len(u.ticks)-1]
	return u
}

func (u up) place(value float64) float64 {
	share := (value - u.least) / (u.most - u.least)
	if u.log {
		share = math.Log(value/u.least) / math.Log(u.most/u.least)
	}
	return u.bottom - u.height*share
}

// linearTicks are about n round numbers that hold least and most between them.
func linearTicks(least, most float64, n int) []float64 {
	if most <= least {
		most = least + 1
	}
	rough := (most - least) / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	step := 10 * power
	for _, round := range []float64{1, 2, 5} {
		if round*power >= rough*0.999 {
			step = round * power
			break
		}
	}
	var ticks []float64
	for i := math.Floor(least / step); ; i++ {
		ticks = append(ticks, rounded(i*step))
		if i*step >= most {
			return ticks
		}
	}
}

// logTicks are 1, 2 and 5 times the powers of ten that hold least and most between them; only the powers where that
// would be many.
func logTicks(least, most float64) []float64 {
	steps := []float64{1, 2, 5}
	if most/least > 1000 {
		steps = []float64{1}
	}
	var ticks []float64
	for power := math.Floor(math.Log10(least)); ; power++ {
		for _, step := range steps {
			tick := rounded(step * math.Pow(10, power))
			if tick <= least {
				ticks = nil
			}
			ticks = append(ticks, tick)
			if tick >= most && len(ticks) > 1 {
				return ticks
			}
		}
	}
}

// rounded takes away what powers leave behind a number.
func rounded(v float64) float64 {
	scale := math.Pow(10, 6)
	return math.Round(v*scale) / scale
}
