package compare

import (
	"maps"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/measure"
)

// Result is what a comparison found: every turn as it was reported.
type Result struct {
	Machine Machine `json:"machine"`
	Plan    Plan    `json:"plan"`
	Turns   []Turn  `json:"turns"`
}

// of returns the reports of a contender in a cell, by round. Turns that failed are not there.
func (r Result) of(cell Cell, name string) map[int]measure.Report {
	reports := make(map[int]measure.Report)
	for _, turn := range r.Turns {
		if turn.Cell == cell && turn.Contender == name && turn.Report != nil {
			reports[turn.Round] = *turn.Report
		}
	}
	return reports
}

// faults is how many turns of a contender failed in a cell.
func (r Result) faults(cell Cell, name string) int {
	n := 0
	for _, turn := range r.Turns {
		if turn.Cell == cell && turn.Contender == name && turn.Fault != "" {
			n++
		}
	}
	return n
}

// figure is one figure of a contender's turns in a cell. Turns that do not know it are left out.
func (r Result) figure(cell Cell, name string, read func(measure.Report) *float64) Spread {
	var values []float64
	for _, report := range r.of(cell, name) {
		if value := read(report); value != nil {
			values = append(values, *value)
		}
	}
	return SpreadOf(values)
}

// ratio is how much faster one contender was than another. Only turns of the same round are compared: they were
// neighbours.
func (r Result) ratio(cell Cell, name, to string) Spread {
	var ratios []float64
	others := r.of(cell, to)
	for round, report := range r.of(cell, name) {
		if other, both := others[round]; both && other.SagasPerSecond > 0 {
			ratios = append(ratios, report.SagasPerSecond/other.SagasPerSecond)
		}
	}
	return SpreadOf(ratios)
}

// processes are those whose CPU somebody in the cell has told, the total apart.
func (r Result) processes(cell Cell) []string {
	names := make(map[string]bool)
	for _, turn := range r.Turns {
		if turn.Cell != cell || turn.Report == nil {
			continue
		}
		for name := range turn.Report.CPU {
			names[name] = true
		}
	}
	delete(names, measure.Total)
	return slices.Sorted(maps.Keys(names))
}
