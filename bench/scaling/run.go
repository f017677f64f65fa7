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

// Growth is what is to be measured, and where.
type Growth struct {
	Plan         Plan
	Servers      compare.Servers
	Orchestrator string // the program
	Folder       string // that the points, tables and pictures are written to
	Log          *slog.Logger
}

// run is one run of some series.
type run struct {
	Growth
	seeded map[string]*world // kept until the end: making them takes longest
	notes  []string          // of the series that is being measured
}

// Run measures these series, none meaning all, and writes what came of each as soon as it is there. A series that cannot be
// measured does not keep the others back, and is an error in the end.
func (g Growth) Run(ctx context.Context, names []string, say func(line string)) (err error) {
	machine, err := g.Servers.Describe(ctx)
	if err != nil {
		return err
	}
	results, err := load(g.Folder)
	if err != nil {
		return err
	}
	r := &run{Growth: g, seeded: make(map[string]*world)}
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
		g.Log.Info("series measured", "series", s.name, "took", time.Since(began).Round(time.Second))
		machine.Date = time.Now().UTC().Truncate(time.Second)
		results[s.name] = Result{Series: s.name, Machine: machine, Plan: g.Plan, Points: points, Notes: r.notes}
		for _, v := range s.judge(points) {
			say(s.name + ": " + v.String())
		}
		if err := errors.Join(save(g.Folder, results), write(g.Folder, results)); err != nil {
			return err
		}
	}
	return errors.Join(faults...)
}

// Redraw writes tables and pictures of what was measured before.
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

// bench has `orchestrator bench` take a turn, and returns its report.
func (r *run) bench(ctx context.Context, at system.Place, flags ...string) (loadtest.Report, error) {
	arguments := append([]string{
		"bench", "--output", "json", "--warmup", r.Plan.Warmup.String(), "--duration", r.Plan.Duration.String(),
	}, flags...)
	return compare.RunReport(ctx, at, r.Orchestrator, arguments)
}

func (r *run) close(ctx context.Context) error {
	var faults error
	for _, w := range r.seeded {
		faults = errors.Join(faults, w.remove(context.WithoutCancel(ctx)))
	}
	return faults
}
