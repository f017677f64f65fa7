package scaling

import (
	"context"
	"slices"
)

// series is one thing that grows.
type series struct {
	name   string
	title  string
	about  string // what was done, for a reader of the page
	across string // what grows, with the unit
	// continuous places the points by their X, instead of side by side.
	continuous bool
	columns    []column
	panels     []panel // none: no picture
	measure    func(ctx context.Context, r *run) ([]Point, error)
	judge      func(points []Point) []Verdict
}

// column is a figure in the table.
type column struct{ name, format string }

// panel is a part of the picture: figures that share an axis.
type panel struct {
	label string
	lines []string
	log   bool
}

// The figures that `orchestrator bench` reports.
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

func unjudged([]Point) []Verdict { return nil }

// all is every series, in the order in which they are measured and shown.
func all() []series {
	return slices.Concat(loadSeries(), tableSeries(), []series{startup(), idle(), backlog(), soak()})
}

// Names are those of all series.
func Names() []string {
	var names []string
	for _, s := range all() {
		names = append(names, s.name)
	}
	return names
}
