package scaling

import (
	"context"
	"slices"
)

// series is one dimension that grows.
type series struct {
	name   string
	title  string
	about  string // describes the series on the page
	across string // the dimension, with its unit
	// continuous spaces the points by X instead of evenly.
	continuous bool
	columns    []column
	panels     []panel // of the chart; empty: no chart
	measure    func(ctx context.Context, r *run) ([]Point, error)
	verdicts   func(points []Point) []Verdict
}

// column is a figure in the table, with its format.
type column struct{ name, format string }

// panel is a part of the chart: figures that share a y axis.
type panel struct {
	label string
	lines []string
	log   bool
}

// Figures that `orchestrator bench` reports.
const (
	rate            = "sagas/s"
	p50             = "p50 ms"
	p99             = "p99 ms"
	cpu             = "CPU ms/saga"
	orchestratorCPU = "of it orchestrator"
	postgresCPU     = "Postgres"
	brokerCPU       = "RabbitMQ"
	wal             = "WAL B/saga"
	ofEmpty         = "of an empty database"
	ready           = "ready after s"
	peakMemory      = "peak RSS MB"
)

func turnColumns(more ...column) []column {
	return slices.Concat([]column{{rate, "%.0f"}}, more, []column{
		{p50, "%.1f"}, {p99, "%.1f"}, {cpu, "%.2f"}, {orchestratorCPU, "%.2f"}, {postgresCPU, "%.2f"}, {brokerCPU, "%.2f"}, {wal, "%.0f"},
	})
}

func turnPanels() []panel {
	return []panel{{label: rate, lines: []string{rate}}, {label: "latency, ms", lines: []string{p50, p99}, log: true}}
}

func noVerdicts([]Point) []Verdict { return nil }

// all returns every series, in the order of measurement and of the page.
func all() []series {
	return slices.Concat(loadSeries(), tableSeries(), []series{startup(), idle(), backlog(), soak()})
}

// Names returns the names of all series.
func Names() []string {
	var names []string
	for _, s := range all() {
		names = append(names, s.name)
	}
	return names
}
