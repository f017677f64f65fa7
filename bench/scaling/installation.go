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

// installation is a database and a prefix on the broker. It outlives the orchestrators that serve it.
type installation struct {
	run   *run
	place system.Place
	drop  func(context.Context) error
	db    *pgx.Conn // to read and seed the database
	seeds seeds
}

// newInstallation creates an installation with an empty schema.
func (r *run) newInstallation(ctx context.Context, name string) (*installation, error) {
	place, drop, err := r.Servers.Place(ctx, name)
	if err != nil {
		return nil, err
	}
	in := &installation{run: r, place: place, drop: drop}
	if err := in.open(ctx); err != nil {
		return nil, errors.Join(err, in.remove(context.WithoutCancel(ctx)))
	}
	return in, nil
}

func (in *installation) open(ctx context.Context) (err error) {
	if _, err := compare.Output(ctx, in.place, in.run.Orchestrator, "migrate", "up"); err != nil {
		return err
	}
	in.db, err = in.connect(ctx)
	return err
}

// connect opens a connection to the installation's database.
func (in *installation) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, in.place.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, nil
}

// workerQueues returns the queues of the load and of the seeded sagas.
func workerQueues() []string {
	return []string{"bench-inventory", "bench-payments", "bench-orders", unservedQueue}
}

func (in *installation) remove(ctx context.Context) error {
	if in.db != nil {
		in.db.Close(ctx)
	}
	broker := rabbit.Config{URL: in.place.AMQPURL, Prefix: in.place.Prefix, Name: "bench"}
	return errors.Join(rabbit.Remove(ctx, broker, workerQueues()), in.drop(ctx))
}

// serving is an orchestrator that serves an installation.
type serving struct {
	*process.Process
	installation *installation
	url          string
	ready        time.Duration // from the start of the process until it was ready
}

// serve starts `orchestrator serve` with further flags and waits until it is ready.
func (in *installation) serve(ctx context.Context, flags ...string) (*serving, error) {
	program := process.Program{
		Name: "orchestrator", Path: in.run.Orchestrator, Environment: in.place.Environment(), Arguments: append([]string{
			"serve", "--auth", "none", "--listen", "127.0.0.1:0", "--log-level", "warn", "--log-format", "text",
			"--retain-completed", "0", "--retain-undone", "0", // some series have sagas that are old
		}, flags...),
	}
	running, said, err := program.Start(ctx)
	if err != nil {
		return nil, err
	}
	url, _ := strings.CutPrefix(said, "serving ")
	s := &serving{Process: running, installation: in, url: url}
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

// client returns a client that closes its connection after each call, so that no connection distorts the measurement.
func (s *serving) client() *client.Client {
	return client.New(client.Config{Server: s.url, HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
}

// bench puts a load on the orchestrator and checks that all its sagas have ended.
func (s *serving) bench(ctx context.Context, flags ...string) (loadtest.Report, error) {
	report, err := s.installation.run.bench(ctx, s.installation.place, append([]string{"--server", s.url}, flags...)...)
	if err != nil {
		return report, err
	}
	var left int
	err = s.installation.db.QueryRow(ctx, `SELECT count(*) FROM sagas WHERE definition = 'bench' AND finished_at IS NULL`).Scan(&left)
	if err != nil {
		return report, fmt.Errorf("count unfinished sagas: %w", err)
	}
	if left > 0 {
		return report, fmt.Errorf("%d sagas have not ended", left)
	}
	return report, nil
}

// served runs an orchestrator while use runs.
func (in *installation) served(ctx context.Context, use func(*serving) error, flags ...string) error {
	s, err := in.serve(ctx, flags...)
	if err != nil {
		return err
	}
	return errors.Join(use(s), s.Stop())
}
