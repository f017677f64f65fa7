package compare

import (
	"maps"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// Result is the result of a comparison: the reports of all runs.
type Result struct {
	Machine Machine `json:"machine"`
	Plan    Plan    `json:"plan"`
	Runs    []Run   `json:"runs"`
}

// of returns the reports of a system in a cell, by round, without failed runs.
func (r Result) of(cell Cell, name string) map[int]loadtest.Report {
	reports := make(map[int]loadtest.Report)
	for _, run := range r.Runs {
		if run.Cell == cell && run.System == name && run.Report != nil {
			reports[run.Round] = *run.Report
		}
	}
	return reports
}

// faults returns the number of a system's failed runs in a cell.
func (r Result) faults(cell Cell, name string) int {
	n := 0
	for _, run := range r.Runs {
		if run.Cell == cell && run.System == name && run.Fault != "" {
			n++
		}
	}
	return n
}

// figure returns one figure of a system's runs in a cell, without runs in which it is unknown.
func (r Result) figure(cell Cell, name string, read func(loadtest.Report) *float64) Spread {
	var values []float64
	for _, report := range r.of(cell, name) {
		if value := read(report); value != nil {
			values = append(values, *value)
		}
	}
	return SpreadOf(values)
}

// ratio returns the throughput of one system divided by another's. It compares only runs of the same round, which ran
// shortly after each other.
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

// processes returns the names of all processes whose CPU time a run of the cell reports, without the total.
func (r Result) processes(cell Cell) []string {
	names := make(map[string]bool)
	for _, run := range r.Runs {
		if run.Cell != cell || run.Report == nil {
			continue
		}
		for name := range run.Report.CPU {
			names[name] = true
		}
	}
	delete(names, loadtest.Total)
	return slices.Sorted(maps.Keys(names))
}
