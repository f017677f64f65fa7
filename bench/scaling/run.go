package scaling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/bench/system"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// Growth defines what is measured, and where.
type Growth struct {
	Plan         Plan
	Servers      compare.Servers
	Orchestrator string // path of the program
	Folder       string // of the points, tables and charts
	Log          *slog.Logger
}

// run is one run of several series.
type run struct {
	Growth
	seeded map[string]*installation // kept until the end, because seeding takes long
	notes  []string                 // of the current series
}

// Run measures the named series, or all if names is empty. It writes each result at once and calls say with its verdicts. If
// a series fails, Run measures the others and returns the error at the end.
func (g Growth) Run(ctx context.Context, names []string, say func(line string)) (err error) {
	machine, err := g.Servers.Describe(ctx)
	if err != nil {
		return err
	}
	results, err := load(g.Folder)
	if err != nil {
		return err
	}
	r := &run{Growth: g, seeded: make(map[string]*installation)}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	var faults []error
	for _, s := range all() {
		if len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		began := time.Now()
		r.notes = nil
		points, err := s.measure(ctx, r)
		if ctx.Err() != nil {
			return fmt.Errorf("measure %s: %w", s.name, context.Cause(ctx))
		}
		if err != nil {
			g.Log.Error("a series failed", "series", s.name, "reason", err)
			faults = append(faults, fmt.Errorf("measure %s: %w", s.name, err))
			continue
		}
		g.Log.Info("measured a series", "series", s.name, "took", time.Since(began).Round(time.Second))
		machine.Date = time.Now().UTC().Truncate(time.Second)
		results[s.name] = Result{Series: s.name, Machine: machine, Plan: g.Plan, Points: points, Notes: r.notes}
		for _, v := range s.verdicts(points) {
			say(s.name + ": " + v.String())
		}
		if err := errors.Join(save(g.Folder, results), write(g.Folder, results)); err != nil {
			return err
		}
	}
	return errors.Join(faults...)
}

// Redraw writes tables and charts of the existing points.
func (g Growth) Redraw() error {
	results, err := load(g.Folder)
	if err != nil {
		return err
	}
	return write(g.Folder, results)
}

func (r *run) note(format string, values ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, values...))
	r.Log.Info(r.notes[len(r.notes)-1])
}

// bench runs `orchestrator bench` for one turn and returns its report.
func (r *run) bench(ctx context.Context, at system.Place, flags ...string) (loadtest.Report, error) {
	arguments := append([]string{
		"bench", "--output", "json", "--warmup", r.Plan.Warmup.String(), "--duration", r.Plan.Duration.String(),
	}, flags...)
	return compare.RunReport(ctx, at, r.Orchestrator, arguments)
}

func (r *run) close(ctx context.Context) error {
	var faults error
	for _, in := range r.seeded {
		faults = errors.Join(faults, in.remove(context.WithoutCancel(ctx)))
	}
	return faults
}
