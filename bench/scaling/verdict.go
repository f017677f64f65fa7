package scaling

import "fmt"

// Verdict holds a figure against what is wanted of it.
type Verdict struct {
	What, Wanted, Got string
	Met               bool
}

func (v Verdict) String() string {
	word := "met"
	if !v.Met {
		word = "NOT met"
	}
	return fmt.Sprintf("%s: %s; wanted %s, got %s", word, v.What, v.Wanted, v.Got)
}

// atLeast and atMost judge a figure of a point. Where there is none, there is no verdict.
func atLeast(p Point, figure, what string, limit float64, format string) []Verdict {
	value, known := p.median(figure)
	if !known {
		return nil
	}
	return []Verdict{{what, "at least " + fmt.Sprintf(format, limit), fmt.Sprintf(format, value), value >= limit}}
}

func atMost(p Point, figure, what string, limit float64, format string) []Verdict {
	value, known := p.median(figure)
	if !known {
		return nil
	}
	return []Verdict{{what, "at most " + fmt.Sprintf(format, limit), fmt.Sprintf(format, value), value <= limit}}
}

// last is the greatest point of a series; an empty one has no figures.
func last(points []Point) Point {
	if len(points) == 0 {
		return Point{}
	}
	return points[len(points)-1]
}
