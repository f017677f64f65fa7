package ui

import (
	"slices"
	"time"
)

type span struct{ from, to time.Time }

// axis maps times to percentages of a width. It cuts out long times without activity.
type axis struct {
	pieces []piece
	ticks  []tick
	breaks []tick
}

// piece is a time that is drawn to scale, from x to x+width.
type piece struct {
	span
	x, width float64
}

const (
	// gapWidth is the width of a time that is cut out, in percent.
	gapWidth = 6.0
	// tickApart is the least distance of two labels, in percent.
	tickApart = 11.0
	// lastTick is the place from which a label would leave the picture, so that it ends there instead, in percent.
	lastTick = 90.0
	// axisWidth leaves room for the last label.
	axisWidth = 96.0
	// mostGaps bounds how many times are cut out: more would leave no room for what happened.
	mostGaps = 6
)

// newAxis returns an axis on which the spans are drawn.
func newAxis(spans []span) *axis {
	spans = merged(spans)
	var active time.Duration
	for _, s := range spans {
		active += s.to.Sub(s.from)
	}
	shortest := max(active/5, 2*time.Second)
	for countGaps(spans, shortest) > mostGaps {
		shortest *= 2
	}
	kept := spans[:1]
	for _, s := range spans[1:] {
		last := &kept[len(kept)-1]
		if s.from.Sub(last.to) < shortest {
			last.to = s.to
		} else {
			kept = append(kept, s)
		}
	}
	a := &axis{}
	active = 0
	for _, s := range kept {
		active += s.to.Sub(s.from)
	}
	room := axisWidth - gapWidth*float64(len(kept)-1)
	x := 0.0
	for i, s := range kept {
		width := room
		if active > 0 {
			width = room * float64(s.to.Sub(s.from)) / float64(active)
		}
		if i > 0 {
			gap := s.from.Sub(kept[i-1].to)
			a.breaks = append(a.breaks, tick{X: x + gapWidth/2, Label: rough(gap)})
			x += gapWidth
		}
		a.pieces = append(a.pieces, piece{span: s, x: x, width: width})
		x += width
	}
	a.label()
	return a
}

// merged sorts spans and joins those that overlap.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	joined := spans[:1]
	for _, s := range spans[1:] {
		last := &joined[len(joined)-1]
		if s.from.After(last.to) {
			joined = append(joined, s)
		} else if s.to.After(last.to) {
			last.to = s.to
		}
	}
	return joined
}

func countGaps(spans []span, shortest time.Duration) int {
	gaps := 0
	for i := 1; i < len(spans); i++ {
		if spans[i].from.Sub(spans[i-1].to) >= shortest {
			gaps++
		}
	}
	return gaps
}

// position returns the place of a time, in percent.
func (a *axis) position(at time.Time) float64 {
	for i, p := range a.pieces {
		last := i == len(a.pieces)-1
		if at.After(p.to) && !last {
			continue
		}
		length := p.to.Sub(p.from)
		if length <= 0 || at.Before(p.from) {
			return p.x
		}
		return p.x + p.width*min(1, float64(at.Sub(p.from))/float64(length))
	}
	return 0
}

// label puts labels on the axis: at the begin of each piece, and at round times in wide ones.
func (a *axis) label() {
	start := a.pieces[0].from
	add := func(x float64, after time.Duration) {
		if n := len(a.ticks); n == 0 || x-a.ticks[n-1].X >= tickApart {
			a.ticks = append(a.ticks, tick{X: x, Label: "+" + exact(after)})
		}
	}
	for _, p := range a.pieces {
		add(p.x, p.from.Sub(start))
		length := p.to.Sub(p.from)
		step := roundStep(length, int(p.width/18))
		for after := step; step > 0 && after < length; after += step {
			add(p.x+p.width*float64(after)/float64(length), p.from.Sub(start)+after)
		}
	}
	a.ticks[0].Label = "0"
	if n := len(a.ticks); n > 2 && a.ticks[n-1].X > lastTick && a.ticks[n-1].X-a.ticks[n-2].X < 2*tickApart {
		a.ticks = slices.Delete(a.ticks, n-2, n-1) // the last label ends where its line stands
	}
}

// roundStep returns a round duration of which about n fit into a length; 0 if n is 0.
func roundStep(length time.Duration, n int) time.Duration {
	if n < 1 {
		return 0
	}
	for unit := time.Millisecond; ; unit *= 10 {
		for _, step := range []time.Duration{unit, 2 * unit, 5 * unit} {
			if length/step <= time.Duration(n) {
				return step
			}
		}
	}
}

// exact returns a duration of the axis without rounding away what tells two labels apart.
func exact(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return rough(d)
	}
}
