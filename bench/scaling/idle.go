package scaling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// Figures and settings of the idle series.
const (
	idleCPU        = "% of a core"
	everySecond    = "times a second"
	allPerSecond   = "transactions a second"
	wholeProcess   = "the process"
	settleFor      = 3 * time.Second // after the load
	lookEvery      = 10 * time.Millisecond
	longestText    = 90
	ownApplication = "saga-growth"
)

// idle measures the cost of an orchestrator without load.
func idle() series {
	return series{
		name: "idle", title: "Idle orchestrator",
		about: "One orchestrator without load: its CPU time, all transactions on its database, and the rate of each statement, " +
			"sampled from `pg_stat_activity` a hundred times a second.",
		across: "what", columns: []column{{idleCPU, "%.2f"}, {allPerSecond, "%.2f"}, {everySecond, "%.2f"}},
		measure: func(ctx context.Context, r *run) (points []Point, err error) {
			in, err := r.newInstallation(ctx, "idle")
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, in.remove(context.WithoutCancel(ctx))) }()
			err = in.served(ctx, func(s *serving) error {
				// A short load first, so that the orchestrator has a definition, queues and warm caches.
				if _, err := s.bench(ctx, "--in-flight", "4", "--warmup", "0s", "--duration", "500ms"); err != nil {
					return err
				}
				points, err = s.idle(ctx)
				return err
			})
			return points, err
		},
		verdicts: func(points []Point) (all []Verdict) {
			for _, p := range points {
				all = append(all, atMost(p, idleCPU, "CPU without work", 1, "%.2f %% of a core")...)
				all = append(all, atMost(p, everySecond, "`"+p.Label+"`", 1.05, "%.2f times a second")...)
			}
			return all
		},
	}
}

// idle measures the orchestrator for the time of the plan.
func (s *serving) idle(ctx context.Context) ([]Point, error) {
	// Sample from another database, so that the samples do not count as the orchestrator's transactions.
	config, err := pgx.ParseConfig(s.installation.run.Servers.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("parse the URL of Postgres: %w", err)
	}
	config.RuntimeParams["application_name"] = ownApplication
	db, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	defer db.Close(context.WithoutCancel(ctx))
	seen := newStatements(s.installation.db.Config().Database)
	if err := rest(ctx, settleFor); err != nil {
		return nil, err
	}
	if err := seen.look(ctx, db); err != nil { // earlier statements do not count
		return nil, err
	}
	clear(seen.times)
	meter := loadtest.Meter{Processes: loadtest.Local(), Groups: []loadtest.Group{{Name: wholeProcess, PIDs: []int{s.PID()}}}}
	if err := meter.Begin(ctx); err != nil {
		return nil, err
	}
	began, before := time.Now(), seen.transactions
	for time.Since(began) < s.installation.run.Plan.Idle {
		if err := errors.Join(rest(ctx, lookEvery), seen.look(ctx, db)); err != nil {
			return nil, err
		}
	}
	usage, err := meter.End(ctx)
	if err != nil {
		return nil, err
	}
	seconds := time.Since(began).Seconds()
	whole := map[string]compare.Spread{allPerSecond: once(float64(seen.transactions-before) / seconds)}
	if spent, known := usage.CPU[wholeProcess]; known {
		whole[idleCPU] = once(100 * spent.Seconds() / seconds)
	}
	return append([]Point{{Label: wholeProcess, Figures: whole}}, seen.points(seconds)...), nil
}

// statements counts the statements on a database by frequent sampling.
type statements struct {
	database     string
	known        map[string]bool // by pid and start time
	times        map[string]int  // by text
	transactions int64
}

func newStatements(database string) *statements {
	return &statements{database: database, known: make(map[string]bool), times: make(map[string]int)}
}

// look records the last statement of each connection.
func (s *statements) look(ctx context.Context, db *pgx.Conn) error {
	rows, err := db.Query(ctx, `SELECT a.pid || ' ' || a.query_start, a.query, d.xact_commit + d.xact_rollback
		FROM pg_stat_activity a JOIN pg_stat_database d USING (datname)
		WHERE a.datname = $1 AND a.application_name = 'saga-orchestrator' AND a.query_start IS NOT NULL`, s.database)
	if err != nil {
		return fmt.Errorf("sample the statements: %w", err)
	}
	var one, text string
	_, err = pgx.ForEachRow(rows, []any{&one, &text, &s.transactions}, func() error {
		if !s.known[one] {
			s.known[one] = true
			s.times[shortened(text)]++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sample the statements: %w", err)
	}
	return nil
}

// points returns a point per statement, the most frequent first.
func (s *statements) points(seconds float64) []Point {
	var points []Point
	texts := slices.SortedFunc(maps.Keys(s.times), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.times[b], s.times[a]), strings.Compare(a, b))
	})
	for i, text := range texts {
		points = append(points, Point{X: float64(i), Label: text, Figures: map[string]compare.Spread{
			everySecond: once(float64(s.times[text]) / seconds),
		}})
	}
	return points
}

// shortened returns a statement as a cell of a table.
func shortened(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "∣")
	if len(text) > longestText {
		text = text[:longestText] + "…"
	}
	return text
}

func rest(ctx context.Context, d time.Duration) error {
	if !wait.For(ctx, d) {
		return fmt.Errorf("wait: %w", context.Cause(ctx))
	}
	return nil
}
