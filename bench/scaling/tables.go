package scaling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// tableSeries returns the series in which the tables grow.
func tableSeries() []series {
	grown := func(name, title, about, across string, sizes func(p Plan) []int, open func(*run, context.Context) (*installation, error)) series {
		return series{
			name: name, title: title, about: about, across: across,
			columns: turnColumns(column{ofEmpty, "%.2f"}, column{ready, "%.2f"}),
			panels:  append(turnPanels(), panel{label: ofEmpty, lines: []string{ofEmpty}}),
			measure: func(ctx context.Context, r *run) ([]Point, error) {
				in, err := open(r, ctx)
				if err != nil {
					return nil, err
				}
				return r.beside(ctx, in, sizes(r.Plan))
			},
			verdicts: func(points []Point) []Verdict {
				at := last(points)
				return atLeast(at, ofEmpty, fmt.Sprintf("throughput with %s %s, relative to an empty database", at.Label, across), 0.9, "%.2f")
			},
		}
	}
	return []series{
		grown("finished", "Finished sagas in the tables",
			"The tables are seeded with copies of a completed saga, created within the last 30 days. Each turn is compared with "+
				"one on an empty database.", "finished sagas",
			func(p Plan) []int { return p.Finished }, (*run).finished),
		grown("waiting", "Waiting sagas in the tables",
			"The tables are seeded: a third of the sagas starts next year, a third starts within hours, and a third waits for a reply "+
				"that times out within two days. Each turn is compared with one on an empty database.", "waiting sagas",
			func(p Plan) []int { return p.Waiting }, (*run).waiting),
	}
}

// beside measures an installation at each size, and an empty one in turns with it. The order alternates between rounds.
func (r *run) beside(ctx context.Context, in *installation, sizes []int) ([]Point, error) {
	var points []Point
	for _, size := range sizes {
		if err := in.seed(ctx, size); err != nil {
			return nil, fmt.Errorf("seed %d sagas: %w", size, err)
		}
		var reports []loadtest.Report
		var ratios, times []float64
		for round := range r.Plan.Rounds {
			full, empty, took, err := r.pair(ctx, in, round%2 == 0)
			if err != nil {
				return nil, err
			}
			r.Log.Info("measured", "at", size, "sagas/s", full.SagasPerSecond, "empty", empty.SagasPerSecond)
			reports = append(reports, full)
			ratios, times = append(ratios, full.SagasPerSecond/empty.SagasPerSecond), append(times, took)
		}
		p := Point{X: float64(size), Label: thousands(size), Figures: figures(reports)}
		p.Figures[ofEmpty], p.Figures[ready] = compare.SpreadOf(ratios), compare.SpreadOf(times)
		points = append(points, p)
	}
	return points, nil
}

// pair takes one turn on the installation and one on an empty one. took is the start-up time of the first, in seconds.
func (r *run) pair(ctx context.Context, in *installation, emptyFirst bool) (full, empty loadtest.Report, took float64, err error) {
	turn := func(in *installation, report *loadtest.Report) (ready time.Duration, err error) {
		err = in.served(ctx, func(s *serving) (err error) {
			ready = s.ready
			*report, err = s.bench(ctx, "--in-flight", strconv.Itoa(r.Plan.Load))
			return err
		})
		return ready, err
	}
	turns := []func() error{
		func() error {
			other, err := r.newInstallation(ctx, "empty")
			if err != nil {
				return err
			}
			_, err = turn(other, &empty)
			return errors.Join(err, other.remove(context.WithoutCancel(ctx)))
		},
		func() error {
			ready, err := turn(in, &full)
			took = ready.Seconds()
			return err
		},
	}
	if !emptyFirst {
		slices.Reverse(turns)
	}
	for _, take := range turns {
		if err := take(); err != nil {
			return full, empty, 0, err
		}
	}
	return full, empty, took, nil
}

// startup measures the start-up time of an orchestrator with unfinished sagas.
func startup() series {
	return series{
		name: "startup", title: "Start-up",
		about:  "The time from the start of the process until `/readyz` answers 200, with unfinished sagas in the tables.",
		across: "unfinished sagas", columns: []column{{ready, "%.3f"}, {peakMemory, "%.0f"}},
		panels: []panel{{label: "s until ready", lines: []string{ready}}},
		measure: func(ctx context.Context, r *run) ([]Point, error) {
			empty, err := r.newInstallation(ctx, "startup")
			if err != nil {
				return nil, err
			}
			none, err := r.starts(ctx, empty, 0)
			if err := errors.Join(err, empty.remove(context.WithoutCancel(ctx))); err != nil {
				return nil, err
			}
			in, err := r.waiting(ctx)
			if err != nil {
				return nil, err
			}
			most := slices.Max(r.Plan.Waiting)
			if err := in.seed(ctx, most); err != nil {
				return nil, err
			}
			full, err := r.starts(ctx, in, most)
			return []Point{none, full}, err
		},
		verdicts: func(points []Point) []Verdict {
			at := last(points)
			return atMost(at, ready, "start-up with "+at.Label+" unfinished sagas", 2, "%.2f s")
		},
	}
}

// starts measures the start-up of an orchestrator once per round.
func (r *run) starts(ctx context.Context, in *installation, size int) (Point, error) {
	var times, memory []float64
	for range r.Plan.Rounds {
		err := in.served(ctx, func(s *serving) error {
			times = append(times, s.ready.Seconds())
			memory = append(memory, megabytes(loadtest.Local().Peak(s.PID())))
			return nil
		})
		if err != nil {
			return Point{}, err
		}
	}
	return Point{X: float64(size), Label: thousands(size), Figures: map[string]compare.Spread{
		ready: compare.SpreadOf(times), peakMemory: compare.SpreadOf(memory),
	}}, nil
}

func megabytes(bytes int64) float64 { return loadtest.Round(float64(bytes)/(1<<20), 1) }
