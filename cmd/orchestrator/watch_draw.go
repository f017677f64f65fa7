package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	nameWidth  = 24 // of a step's name
	leastLane  = 10
	stateWidth = 34 // of the text after a lane
)

// picture is what `sagas watch` draws of a saga at one moment.
type picture struct {
	saga    resource.Saga
	history []resource.HistoryEntry
	why     string // what the saga is waiting for; empty: it has ended
	now     time.Time
	colour  bool
}

// lines returns the picture, one text per line, for a terminal of that size. Steps that do not fit are counted.
func (p picture) lines(width, height int) []string {
	s := p.saga
	from, to := s.CreatedAt.Time, p.now
	if s.FinishedAt != nil {
		to = s.FinishedAt.Time
	}
	to = later(to, from.Add(time.Millisecond))
	lane := max(leastLane, width-nameWidth-stateWidth-6)
	length := to.Sub(from)
	head := []string{
		p.paint(statusColour(s.Status), plain(string(s.Status))) + plain(fmt.Sprintf("  %s, version %d  %s  revision %d", s.Definition, s.Version, s.ID, s.Revision)),
		fmt.Sprintf("%*s  0s%*s", nameWidth, "", lane+1, axis(length)),
	}
	var foot []string
	switch {
	case s.Attention != nil:
		foot = append(foot, p.paint(red, "needs an operator: ")+plain(s.Attention.Message), "actions: "+plain(words(s.AllowedActions)))
	case s.Failure != nil:
		foot = append(foot, "failure: "+plain(failure(*s.Failure)))
	}
	if p.why != "" && s.Attention == nil {
		foot = append(foot, plain(p.why))
	}
	lanes := lanesOf(p.history)
	var body []string
	left := 0
	for _, step := range s.Steps {
		drawn := p.step(step, lanes[step.Name], from, length, lane)
		if len(head)+len(body)+len(drawn)+len(foot)+1 >= height {
			left++
			continue
		}
		body = append(body, drawn...)
	}
	if left > 0 {
		body = append(body, fmt.Sprintf("… %d more steps: orchestrator sagas show %s", left, plain(s.ID)))
	}
	all := append(append(head, body...), foot...)
	for i, line := range all {
		all[i] = cut(line, width)
	}
	return all
}

// step returns the forward lane, and the backward lane if the step has one.
func (p picture) step(s resource.SagaStep, lanes *stepLanes, from time.Time, length time.Duration, width int) []string {
	if lanes == nil {
		lanes = &stepLanes{}
	}
	name := []rune(plain(s.Name))
	if len(name) > nameWidth {
		name = append(name[:nameWidth-1], '…')
	}
	drawn := []string{fmt.Sprintf("%-*s → %s  %s", nameWidth, string(name), p.lane(lanes.forward, from, length, width), p.state(s, lanes.backward == nil))}
	if lanes.backward != nil {
		drawn = append(drawn, fmt.Sprintf("%*s ← %s  %s", nameWidth, "", p.lane(lanes.backward, from, length, width), p.state(s, true)))
	}
	return drawn
}

// lane draws spans to scale: attempts as blocks, waits as shades, and how each attempt ended.
func (p picture) lane(spans []span, from time.Time, length time.Duration, width int) string {
	cells := make([]rune, width)
	for i := range cells {
		cells[i] = ' '
	}
	cell := func(at time.Time) int {
		return min(width-1, max(0, int(float64(width)*float64(at.Sub(from))/float64(length))))
	}
	for _, s := range spans {
		to := s.to
		if to.IsZero() {
			to = p.now
		}
		block := '█'
		if s.waiting {
			block = '░'
		}
		for i := cell(s.from); i <= cell(to); i++ {
			cells[i] = block
		}
	}
	for _, s := range spans { // the marks last, so that no block hides one
		if s.mark != 0 {
			cells[cell(s.to)] = s.mark
		}
	}
	var drawn strings.Builder
	for begin := 0; begin < width; {
		end := begin + 1
		for end < width && cellColour(cells[end]) == cellColour(cells[begin]) {
			end++
		}
		drawn.WriteString(p.paint(cellColour(cells[begin]), string(cells[begin:end])))
		begin = end
	}
	return drawn.String()
}

// state returns the status of a step with its attempts and its error. The lanes of a compensated step have it once.
func (p picture) state(s resource.SagaStep, last bool) string {
	if !last {
		return ""
	}
	text := string(s.Status)
	attempts := s.Attempts
	if s.CompensationAttempts > 0 {
		attempts = s.CompensationAttempts
	}
	if attempts > 1 {
		text += fmt.Sprintf(", attempt %d", attempts)
	}
	if s.NextAttemptAt != nil && s.NextAttemptAt.After(p.now) {
		text += ", next in " + rough(s.NextAttemptAt.Sub(p.now)+time.Second)
	}
	if s.Error != nil && s.Status != saga.StepSucceeded && s.Status != saga.StepCompensated {
		text += ", " + s.Error.Code
	}
	return p.paint(stepColour(s.Status), plain(text))
}

// axis formats the length of the axis.
func axis(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return rough(d)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// cut shortens a line to a width. Colours take no room.
func cut(line string, width int) string {
	var kept strings.Builder
	column, escape := 0, false
	for _, c := range line {
		switch {
		case c == '\x1b':
			escape = true
		case escape:
			escape = c != 'm'
		case column == width:
			continue
		default:
			column++
		}
		kept.WriteRune(c)
	}
	return kept.String()
}
