package scaling

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/bench/system"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// loadSeries returns the series in which only the load changes. Each turn starts an orchestrator on an empty database.
func loadSeries() []series {
	loaded := func(name, title, about, across string, places func(p Plan) []place) series {
		return series{
			name: name, title: title, about: about, across: across, columns: turnColumns(), panels: turnPanels(), verdicts: noVerdicts,
			measure: func(ctx context.Context, r *run) ([]Point, error) { return r.places(ctx, places(r.Plan)) },
		}
	}
	return []series{
		loaded("in-flight", "Sagas in flight", "A closed loop: when a saga ends, the next one begins.", "in flight",
			func(p Plan) []place { return numbers(p.InFlight, "--in-flight") }),
		loaded("steps", "Steps of a saga", "Sequential steps, each with a command and a reply.", "steps",
			func(p Plan) []place { return numbers(p.Steps, "--in-flight", strconv.Itoa(p.Load), "--steps") }),
		loaded("payload", "Data of a saga", "Every command carries the saga's data.", "bytes of data",
			func(p Plan) []place { return numbers(p.Payload, "--in-flight", strconv.Itoa(p.Load), "--payload") }),
		loaded("replicas", "Replicas", "Processes that share the work on one machine.", "replicas",
			func(p Plan) []place { return numbers(p.Replicas, "--in-flight", strconv.Itoa(p.Load), "--replicas") }),
		loaded("queues", "Types of queues", "The type of RabbitMQ's queues.", "queues", func(p Plan) []place {
			flags := []string{"--in-flight", strconv.Itoa(p.Load), "--queue-type"}
			return []place{{0, "quorum", append(slices.Clone(flags), "quorum")}, {1, "classic", append(slices.Clone(flags), "classic")}}
		}),
		openLoop(),
	}
}

// place is a point to measure, with the flags of its turns.
type place struct {
	x     float64
	label string
	flags []string
}

// numbers returns a place per number, which is its last flag.
func numbers(of []int, flags ...string) []place {
	var places []place
	for _, n := range of {
		places = append(places, place{float64(n), thousands(n), append(slices.Clone(flags), strconv.Itoa(n))})
	}
	return places
}

// thousands formats a number for labels: 10 k, 1 M.
func thousands(n int) string {
	switch {
	case n >= 1_000_000 && n%100_000 == 0:
		return fmt.Sprintf("%g M", float64(n)/1_000_000)
	case n >= 10_000 && n%1000 == 0:
		return fmt.Sprintf("%d k", n/1000)
	default:
		return strconv.Itoa(n)
	}
}

// places measures each place once per round. Every round visits all places, so that a slow minute of the machine affects all
// points.
func (r *run) places(ctx context.Context, places []place) ([]Point, error) {
	reports := make([][]loadtest.Report, len(places))
	for range r.Plan.Rounds {
		for i, at := range places {
			report, err := r.bench(ctx, system.Place{DatabaseURL: r.Servers.DatabaseURL, AMQPURL: r.Servers.AMQPURL}, at.flags...)
			if err != nil {
				return nil, fmt.Errorf("measure %s: %w", at.label, err)
			}
			r.Log.Info("measured", "at", at.label, "sagas/s", report.SagasPerSecond)
			reports[i] = append(reports[i], report)
		}
	}
	points := make([]Point, len(places))
	for i, at := range places {
		points[i] = Point{X: at.x, Label: at.label, Figures: figures(reports[i])}
	}
	return points, nil
}

// figures returns the spread of each figure over the rounds of one point.
func figures(reports []loadtest.Report) map[string]compare.Spread {
	values := make(map[string][]float64)
	add := func(name string, value float64) { values[name] = append(values[name], value) }
	for _, report := range reports {
		add(rate, report.SagasPerSecond)
		if report.Latency != nil {
			add(p50, report.Latency.P50)
			add(p99, report.Latency.P99)
		}
		for name, process := range map[string]string{
			cpu: loadtest.Total, orchestratorCPU: "orchestrator", postgresCPU: "postgres", brokerCPU: "rabbitmq",
		} {
			if value, known := report.CPU[process]; known {
				add(name, value)
			}
		}
		if report.WALBytes != nil {
			add(wal, *report.WALBytes)
		}
	}
	spreads := make(map[string]compare.Spread)
	for name, of := range values {
		spreads[name] = compare.SpreadOf(of)
	}
	return spreads
}

// openLoop measures open loops: independent callers start sagas at a fixed rate.
func openLoop() series {
	s := series{
		name: "open-loop", title: "Open loop",
		about: "Sagas begin at a fixed rate, whether or not earlier ones have ended; latencies count from when a saga should have begun. " +
			"The highest rate is that of a closed loop in the same run.",
		across: "rate", columns: turnColumns(), panels: turnPanels(),
	}
	s.measure = func(ctx context.Context, r *run) ([]Point, error) {
		most, err := r.highest(ctx)
		if err != nil {
			return nil, err
		}
		var places []place
		for _, percent := range r.Plan.Rates {
			flags := []string{"--rate", strconv.FormatFloat(most*float64(percent)/100, 'f', 1, 64)}
			places = append(places, place{float64(percent), fmt.Sprintf("%d %%", percent), flags})
		}
		return r.places(ctx, places)
	}
	s.verdicts = func(points []Point) []Verdict {
		i := slices.IndexFunc(points, func(p Point) bool { return p.X == 50 })
		if i < 0 {
			return nil
		}
		return atMost(points[i], p99, "p99 at half of the highest rate", 50, "%.1f ms")
	}
	return s
}

// highest returns the rate of the fastest closed loop.
func (r *run) highest(ctx context.Context) (float64, error) {
	points, err := r.places(ctx, numbers([]int{64, 256}, "--in-flight"))
	if err != nil {
		return 0, fmt.Errorf("find the highest rate: %w", err)
	}
	most := 0.0
	for _, p := range points {
		value, _ := p.median(rate)
		most = max(most, value)
	}
	r.note("The highest rate of a closed loop (64 or 256 in flight) was %.0f sagas/s.", most)
	return most, nil
}
