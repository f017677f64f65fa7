package scaling

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/bench/system"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/process"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
)

// world is a database and names at the broker, which stay while orchestrators come and go.
type world struct {
	run   *run
	place system.Place
	drop  func(context.Context) error
	db    *pgx.Conn // to look at the database, and to seed it
	seeds seeds
}

// newWorld makes one that is empty but for the schema. It is to be removed also after an error.
func (r *run) newWorld(ctx context.Context, name string) (*world, error) {
	place, drop, err := r.Servers.Place(ctx, name)
	if err != nil {
		return nil, err
	}
	w := &world{run: r, place: place, drop: drop}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(err, w.remove(context.WithoutCancel(ctx)))
	}
	return w, nil
}

func (w *world) open(ctx context.Context) (err error) {
	if _, err := compare.Output(ctx, w.place, w.run.Orchestrator, "migrate", "up"); err != nil {
		return err
	}
	w.db, err = w.connect(ctx)
	return err
}

// connect opens another connection to the world's database.
func (w *world) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, w.place.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, nil
}

// workerQueues are those of the load, and the one of seeded sagas, which nobody works on.
func workerQueues() []string {
	return []string{"bench-inventory", "bench-payments", "bench-orders", nobodysQueue}
}

func (w *world) remove(ctx context.Context) error {
	if w.db != nil {
		w.db.Close(ctx)
	}
	broker := rabbit.Config{URL: w.place.AMQPURL, Prefix: w.place.Prefix, Name: "bench"}
	return errors.Join(rabbit.Remove(ctx, broker, workerQueues()), w.drop(ctx))
}

// serving is an orchestrator that serves a world.
type serving struct {
	*process.Process
	world *world
	url   string
	ready time.Duration // from the start of the process until it was ready
}

// serve starts an orchestrator and waits until it is ready. The flags are serve's.
func (w *world) serve(ctx context.Context, flags ...string) (*serving, error) {
	program := process.Program{
		Name: "orchestrator", Path: w.run.Orchestrator, Environment: w.place.Environment(), Arguments: append([]string{
			"serve", "--auth", "none", "--listen", "127.0.0.1:0", "--log-level", "warn", "--log-format", "text",
		}, flags...),
	}
	running, said, err := program.Start(ctx)
	if err != nil {
		return nil, err
	}
	url, _ := strings.CutPrefix(said, "serving ")
	s := &serving{Process: running, world: w, url: url}
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, running.Stop())
	}
	s.ready = time.Since(running.Began())
	return s, nil
}

// await waits until the orchestrator is ready.
func (s *serving) await(ctx context.Context) error {
	const patience, askAgain = 5 * time.Minute, 5 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		_, err := s.client().Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.Ended():
			return s.Fault()
		case <-ctx.Done():
			return fmt.Errorf("wait until the orchestrator is ready: %w", err)
		}
	}
}

// client calls the orchestrator, on connections that are closed after each call: what is measured holds none of ours.
func (s *serving) client() *client.Client {
	return client.New(client.Config{Server: s.url, HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
}

// bench puts a load on the orchestrator, and sees that no saga of it was left behind.
func (s *serving) bench(ctx context.Context, flags ...string) (loadtest.Report, error) {
	report, err := s.world.run.bench(ctx, s.world.place, append([]string{"--server", s.url}, flags...)...)
	if err != nil {
		return report, err
	}
	var left int
	err = s.world.db.QueryRow(ctx, `SELECT count(*) FROM sagas WHERE definition = 'bench' AND finished_at IS NULL`).Scan(&left)
	if err != nil {
		return report, fmt.Errorf("look for sagas that have not ended: %w", err)
	}
	if left > 0 {
		return report, fmt.Errorf("%d sagas have not ended", left)
	}
	return report, nil
}

// served serves the world for as long as use takes.
func (w *world) served(ctx context.Context, use func(*serving) error, flags ...string) error {
	s, err := w.serve(ctx, flags...)
	if err != nil {
		return err
	}
	return errors.Join(use(s), s.Stop())
}
