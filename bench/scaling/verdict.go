package scaling

import "fmt"

// Verdict compares a figure with its target.
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

// atLeast and atMost return the verdict on a figure of a point, or none if the figure is unknown.
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

// last returns the last point of a series, or a point without figures.
func last(points []Point) Point {
	if len(points) == 0 {
		return Point{}
	}
	return points[len(points)-1]
}
