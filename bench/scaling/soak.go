package scaling

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// Figures and settings of the soak series.
const (
	goroutines   = "goroutines"
	sagasMB      = "sagas MB"
	decisionsMB  = "saga_decisions MB"
	indexesMB    = "indexes MB"
	bytesPerSaga = "bytes per saga"
	outboxMB     = "outbox MB"
	deadShare    = "dead rows %"
	vacuums      = "autovacuums"
	fewSagas     = 1000 // too few to compute bytes per saga
	flatWithin   = 0.1  // relative change from the first third to the last
)

// soak measures a long time of full load.
func soak() series {
	return series{
		name: "soak", title: "Sustained full load",
		about: "A closed loop, sampled at regular intervals. The tables grow with the sagas, because none are deleted; bytes per saga, " +
			"dead rows and the outbox must not grow.",
		across: "after min", continuous: true,
		columns: []column{
			{rate, "%.0f"},
			{memory, "%.0f"},
			{goroutines, "%.0f"},
			{sagasMB, "%.0f"},
			{decisionsMB, "%.0f"},
			{indexesMB, "%.0f"},
			{bytesPerSaga, "%.0f"},
			{outboxMB, "%.1f"},
			{deadShare, "%.1f"},
			{vacuums, "%.0f"},
		},
		panels: []panel{
			{label: rate, lines: []string{rate}},
			{label: "orchestrator", lines: []string{memory, goroutines}},
			{label: "size, MB", lines: []string{sagasMB, decisionsMB, indexesMB}},
			{label: bytesPerSaga, lines: []string{bytesPerSaga}},
			{label: deadShare, lines: []string{deadShare}},
		},
		measure: func(ctx context.Context, r *run) (points []Point, err error) {
			in, err := r.newInstallation(ctx, "soak")
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, in.remove(context.WithoutCancel(ctx))) }()
			err = in.served(ctx, func(s *serving) (err error) {
				points, err = s.soak(ctx)
				return err
			})
			return points, err
		},
		verdicts: soakVerdicts,
	}
}

// soakVerdicts compares the last third of the points with the first. It skips the first point, when the tables are new.
func soakVerdicts(points []Point) (all []Verdict) {
	third := (len(points) - 1) / 3
	if third < 1 {
		return nil
	}
	for _, figure := range []string{rate, memory, goroutines, bytesPerSaga} {
		early, late := mean(points[1:1+third], figure), mean(points[len(points)-third:], figure)
		if early == 0 {
			continue
		}
		growth := late/early - 1
		bad := growth > flatWithin
		if figure == rate {
			bad = growth < -flatWithin
		}
		all = append(all, Verdict{
			What: figure + ", from the first third to the last", Wanted: fmt.Sprintf("flat within %.0f %%", 100*flatWithin),
			Got: fmt.Sprintf("%.1f to %.1f (%+.1f %%)", early, late, 100*growth), Met: !bad,
		})
	}
	return append(all, atMost(last(points), deadShare, "autovacuum keeps up: dead rows in the end", 20, "%.1f %%")...)
}

// mean returns the mean of a figure over the points that have it, or 0 if none has.
func mean(points []Point, figure string) float64 {
	sum, n := 0.0, 0
	for _, p := range points {
		if value, known := p.median(figure); known {
			sum, n = sum+value, n+1
		}
	}
	return sum / float64(max(n, 1))
}

// soak runs the load and samples the orchestrator meanwhile.
func (s *serving) soak(ctx context.Context) ([]Point, error) {
	plan := s.installation.run.Plan
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var points []Point
	var report loadtest.Report
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		defer stop()
		report, err = s.bench(ctx, "--in-flight", strconv.Itoa(plan.Load), "--duration", plan.Soak.String())
		return err
	})
	both.Go(func() (err error) {
		points, err = s.samples(ctx, loading.Done(), plan.Sample)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	s.installation.run.note("%d sagas in %.0f s, %.0f a second; p50 %.1f ms, p99 %.1f ms.",
		report.Sagas, report.Seconds, report.SagasPerSecond, report.Latency.P50, report.Latency.P99)
	return points, nil
}

// samples samples the orchestrator and its tables until over is closed.
func (s *serving) samples(ctx context.Context, over <-chan struct{}, every time.Duration) ([]Point, error) {
	began, at, inserted := time.Now(), time.Now(), int64(0)
	var points []Point
	tick := time.NewTicker(every)
	defer tick.Stop()
	// A connection of its own, because s.bench uses the other one when the load ends.
	db, err := s.installation.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close(context.WithoutCancel(ctx))
	for {
		select {
		case <-tick.C:
		case <-over:
			return points, nil
		case <-ctx.Done():
			return points, fmt.Errorf("sample a long run: %w", context.Cause(ctx))
		}
		t, err := look(ctx, db)
		if err != nil {
			return points, err
		}
		busy, err := s.metric(ctx, "go_goroutines")
		if err != nil {
			return points, err
		}
		now := time.Now()
		figures := t.figures()
		figures[rate] = once(loadtest.Round(float64(t.inserted-inserted)/now.Sub(at).Seconds(), 1))
		figures[memory] = once(megabytes(loadtest.Local().Resident(s.PID())))
		figures[goroutines] = once(busy)
		minutes := loadtest.Round(now.Sub(began).Minutes(), 2)
		points = append(points, Point{X: minutes, Label: fmt.Sprintf("%g", minutes), Figures: figures})
		at, inserted = now, t.inserted
	}
}

// tables holds the sizes and counters of an installation's tables.
type tables struct {
	inserted, live, dead, vacuums      int64
	sagas, decisions, indexes, outboxB int64
}

func look(ctx context.Context, db loadtest.Querier) (t tables, err error) {
	err = db.QueryRow(ctx, `SELECT
		(SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'sagas'),
		sum(n_live_tup)::bigint, sum(n_dead_tup)::bigint, sum(autovacuum_count)::bigint,
		pg_table_size('sagas'), pg_table_size('saga_decisions'), sum(pg_indexes_size(relid))::bigint, pg_table_size('outbox')
		FROM pg_stat_user_tables`).
		Scan(&t.inserted, &t.live, &t.dead, &t.vacuums, &t.sagas, &t.decisions, &t.indexes, &t.outboxB)
	if err != nil {
		return t, fmt.Errorf("read the sizes of the tables: %w", err)
	}
	return t, nil
}

func (t tables) figures() map[string]compare.Spread {
	all := map[string]compare.Spread{
		sagasMB: once(megabytes(t.sagas)), decisionsMB: once(megabytes(t.decisions)), indexesMB: once(megabytes(t.indexes)),
		outboxMB:  once(megabytes(t.outboxB)),
		deadShare: once(loadtest.Round(100*float64(t.dead)/float64(max(t.live+t.dead, 1)), 2)),
		vacuums:   once(float64(t.vacuums)),
	}
	if t.inserted > fewSagas {
		all[bytesPerSaga] = once(loadtest.Round(float64(t.sagas+t.decisions+t.indexes)/float64(t.inserted), 0))
	}
	return all
}

// metric reads one of the orchestrator's metrics.
func (s *serving) metric(ctx context.Context, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer response.Body.Close()
	return find(response.Body, name)
}

// find returns the value in a line such as `go_goroutines 42`.
func find(text io.Reader, name string) (float64, error) {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		if value, is := strings.CutPrefix(lines.Text(), name+" "); is {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("read metrics: there is no %s", name), lines.Err())
}
