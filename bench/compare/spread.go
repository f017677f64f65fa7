package compare

import (
	"fmt"
	"slices"
)

// Spread is the distribution of a figure over the rounds. With 0 rounds the figure is unknown.
type Spread struct {
	Median, Least, Most float64
	Rounds              int
}

// SpreadOf returns the spread of the values.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	median := (sorted[(n-1)/2] + sorted[n/2]) / 2
	return Spread{Median: median, Least: sorted[0], Most: sorted[n-1], Rounds: n}
}

// Show formats the median, followed by the minimum and maximum if there are several rounds.
func (s Spread) Show(format string) string {
	switch s.Rounds {
	case 0:
		return "–"
	case 1:
		return fmt.Sprintf(format, s.Median)
	}
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.Median, s.Least, s.Most)
}

// middle formats the median alone.
func (s Spread) middle(format string) string {
	if s.Rounds == 0 {
		return "–"
	}
	return fmt.Sprintf(format, s.Median)
}
