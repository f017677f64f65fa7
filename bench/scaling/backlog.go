package scaling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/process"
)

// Figures of the backlog series.
const (
	memory     = "RSS MB"
	unfinished = "unfinished sagas"
	completed  = "completed sagas"
	lost       = "lost sagas"
)

// callers is the number of concurrent requests that start the backlog.
const callers = 64

// backlog measures starts without workers, and how workers drain them afterwards.
func backlog() series {
	return series{
		name: "backlog", title: "Starts without workers",
		about: "Callers start sagas at full speed while no worker runs; then the workers start and drain the backlog. " +
			"The last row shows the peak memory of the orchestrator and the lost sagas.",
		across: "after s", continuous: true,
		columns: []column{{unfinished, "%.0f"}, {completed, "%.0f"}, {memory, "%.0f"}, {peakMemory, "%.0f"}, {lost, "%.0f"}},
		panels:  []panel{{label: "sagas", lines: []string{unfinished, completed}}, {label: "RSS of the orchestrator, MB", lines: []string{memory}}},
		measure: func(ctx context.Context, r *run) (points []Point, err error) {
			in, err := r.newInstallation(ctx, "backlog")
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, in.remove(context.WithoutCancel(ctx))) }()
			err = in.served(ctx, func(s *serving) (err error) {
				points, err = s.backlog(ctx)
				return err
			})
			return points, err
		},
		verdicts: func(points []Point) []Verdict {
			end := last(points)
			return append(atMost(end, peakMemory, "peak memory of the orchestrator", 256, "%.0f MB"),
				atMost(end, lost, "sagas that did not complete", 0, "%.0f")...)
		},
	}
}

// backlog starts the sagas, then the workers, and watches until no saga is unfinished.
func (s *serving) backlog(ctx context.Context) ([]Point, error) {
	// A short load registers the definition and declares the queues.
	if _, err := s.bench(ctx, "--in-flight", "1", "--warmup", "0s", "--duration", "200ms"); err != nil {
		return nil, err
	}
	n := s.installation.run.Plan.Backlog
	watch := &watch{serving: s, began: time.Now()}
	var err error
	if watch.before, err = watch.count(ctx); err != nil {
		return nil, err
	}
	starting, stop := context.WithCancel(ctx)
	defer stop()
	var both errgroup.Group
	both.Go(func() error {
		defer stop()
		return s.startMany(ctx, n)
	})
	both.Go(func() error { return watch.sample(ctx, starting.Done(), func() bool { return false }) })
	if err := both.Wait(); err != nil {
		return nil, err
	}
	took := time.Since(watch.began)
	s.installation.run.note("%s starts took %.1f s, %.0f a second.", thousands(n), took.Seconds(), float64(n)/took.Seconds())
	worker, _, err := process.Program{
		Name: "worker", Path: s.installation.run.Orchestrator, Environment: s.installation.place.Environment(), Arguments: []string{"bench-worker"},
	}.Start(ctx)
	if err != nil {
		return nil, err
	}
	err = watch.sample(ctx, nil, func() bool { return watch.now.unfinished == 0 })
	if err := errors.Join(err, worker.Stop()); err != nil {
		return nil, err
	}
	drained := time.Since(watch.began) - took
	s.installation.run.note("Drained in %.1f s, %.0f a second.", drained.Seconds(), float64(n)/drained.Seconds())
	end := watch.points[len(watch.points)-1]
	end.Figures[peakMemory] = once(megabytes(loadtest.Local().Peak(s.PID())))
	end.Figures[lost] = once(float64(int64(n) - watch.now.completed + watch.before.completed))
	return watch.points, nil
}

// startMany starts n sagas without waiting for their ends.
func (s *serving) startMany(ctx context.Context, n int) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range callers {
		group.Go(func() error {
			for next.Add(1) <= int64(n) {
				if err := startOne(ctx, client, s.url); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func startOne(ctx context.Context, client *http.Client, url string) error {
	body := strings.NewReader(`{"definition":"bench","data":{"simulate":{}}}`)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/sagas", body)
	if err != nil {
		return fmt.Errorf("start a saga: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("start a saga: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("start a saga: %s", response.Status)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("read a saga: %w", err)
	}
	return nil
}

// watch samples an orchestrator and its sagas once a second.
type watch struct {
	*serving
	began       time.Time
	before, now tally
	points      []Point
}

// tally counts the sagas in the tables.
type tally struct{ unfinished, completed int64 }

func (w *watch) count(ctx context.Context) (tally, error) {
	var now tally
	err := w.installation.db.QueryRow(ctx, `SELECT count(*) FILTER (WHERE finished_at IS NULL), count(*) FILTER (WHERE status = 'completed')
		FROM sagas`).Scan(&now.unfinished, &now.completed)
	if err != nil {
		return now, fmt.Errorf("count the sagas: %w", err)
	}
	return now, nil
}

// sample adds points until over is closed or enough returns true.
func (w *watch) sample(ctx context.Context, over <-chan struct{}, enough func() bool) error {
	const patience = 30 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ended := false; ; {
		var err error
		if w.now, err = w.count(ctx); err != nil {
			return err
		}
		after := time.Since(w.began).Seconds()
		w.points = append(w.points, Point{X: loadtest.Round(after, 1), Label: fmt.Sprintf("%.0f", after), Figures: map[string]compare.Spread{
			unfinished: once(float64(w.now.unfinished)), completed: once(float64(w.now.completed - w.before.completed)),
			memory: once(megabytes(loadtest.Local().Resident(w.PID()))),
		}})
		if ended || enough() {
			return nil
		}
		select {
		case <-tick.C:
		case <-over:
			ended = true
		case <-w.Ended():
			return w.Fault()
		case <-ctx.Done():
			return fmt.Errorf("wait until the sagas have ended: %w", ctx.Err())
		}
	}
}
