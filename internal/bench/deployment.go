package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/process"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
)

// deployment is the orchestrator under load, with its servers, workers and meter.
type deployment struct {
	options Options
	servers []string // URLs
	prefix  string   // of the names on the broker
	own     bool     // the database holds only the sagas of this run
	meter   loadtest.Meter

	processes []*process.Process
	watches   sync.WaitGroup
	cleanups  []func(context.Context) error // called in reverse order
}

// Names of the process groups in reports.
const (
	groupOrchestrator = "orchestrator"
	groupWorker       = "worker"
	groupLoad         = "load"
	groupPostgres     = "postgres"
	groupRabbitMQ     = "rabbitmq"
)

// cleanupPatience bounds the cleanup after a run.
const cleanupPatience = time.Minute

// open starts or finds the orchestrator that the options ask for. The caller must close the deployment even if open fails.
func (o Options) open(ctx context.Context) (*deployment, error) {
	d := &deployment{options: o, prefix: o.AMQPPrefix, meter: loadtest.Meter{
		Processes: loadtest.Local(), Groups: []loadtest.Group{{Name: groupLoad, PIDs: []int{os.Getpid()}, Peak: true}},
	}}
	switch {
	case o.Server != "":
		return d, d.openGiven(ctx)
	case o.Embedded:
		return d, d.openEmbedded(ctx)
	default:
		return d, d.openStarted(ctx)
	}
}

// openStarted starts an orchestrator on a database and a prefix of its own.
func (d *deployment) openStarted(ctx context.Context) error {
	database, drop, err := createDatabase(ctx, d.options.DatabaseURL)
	if err != nil {
		return err
	}
	d.cleanup(drop)
	d.own = true
	d.prefix = "bench-" + unique()
	d.cleanup(func(ctx context.Context) error {
		return rabbit.Remove(ctx, rabbit.Config{URL: d.options.AMQPURL, Prefix: d.prefix, Name: "bench"}, queues())
	})
	// The URLs contain passwords, and every user of the machine can read flags; hence environment variables.
	environment := []string{"DATABASE_URL=" + database, "AMQP_URL=" + d.options.AMQPURL, "AMQP_PREFIX=" + d.prefix}
	var pids []int
	for range d.options.Replicas { // sequentially: the first one migrates the schema
		p, err := d.serve(ctx, environment, "serve", "--migrate", "--queue-type", d.options.QueueType)
		if err != nil {
			return err
		}
		pids = append(pids, p.PID())
	}
	d.group(loadtest.Group{Name: groupOrchestrator, PIDs: pids, Peak: true})
	d.options.say("started an orchestrator for the run: %d × serve, with a database and queues of its own", d.options.Replicas)
	d.watchRabbitMQ()
	return d.watchPostgres(ctx, database)
}

// openEmbedded starts an embedded orchestrator, which simulates the workers.
func (d *deployment) openEmbedded(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "orchestrator-bench-")
	if err != nil {
		return fmt.Errorf("create a folder for the state: %w", err)
	}
	d.cleanup(func(context.Context) error { return os.RemoveAll(folder) })
	p, err := d.serve(ctx, nil, "dev", "--simulate", "--no-sagas", "--file", filepath.Join(folder, "state.db"))
	if err != nil {
		return err
	}
	d.group(loadtest.Group{Name: groupOrchestrator, PIDs: []int{p.PID()}, Peak: true})
	d.options.say("started an embedded orchestrator for the run, with simulated workers in its process")
	return nil
}

// openGiven finds the processes of an existing orchestrator that run on this machine.
func (d *deployment) openGiven(ctx context.Context) error {
	server, err := url.Parse(d.options.Server)
	if err != nil {
		return fmt.Errorf("parse --server: %w", err)
	}
	d.servers = []string{server.Scheme + "://" + server.Host}
	d.group(loadtest.Group{Name: groupOrchestrator, PIDs: d.meter.Processes.Listener(server.Host, "")})
	if d.options.AMQPURL == "" {
		d.group(loadtest.Group{Name: groupRabbitMQ})
		d.group(loadtest.Group{Name: groupWorker})
		d.options.say("no --amqp-url: the queues %v need running workers (`orchestrator bench-worker`)", queues())
	} else {
		d.watchRabbitMQ()
	}
	if d.options.DatabaseURL == "" {
		d.group(loadtest.Group{Name: groupPostgres})
		return nil
	}
	return d.watchPostgres(ctx, d.options.DatabaseURL)
}

// program returns the orchestrator's executable with other arguments.
func (o Options) program(name string, environment []string, arguments ...string) process.Program {
	return process.Program{Name: name, Path: o.Executable, Environment: environment, Arguments: arguments}
}

// serve starts one orchestrator on a free port.
func (d *deployment) serve(ctx context.Context, environment []string, arguments ...string) (*process.Process, error) {
	arguments = append(arguments, "--auth", "none", "--listen", "127.0.0.1:0", "--log-level", "warn", "--log-format", "text")
	p, said, err := d.options.program("orchestrator", environment, arguments...).Start(ctx)
	if err != nil {
		return nil, err
	}
	d.keep(p)
	address, found := announced(said)
	if !found {
		return nil, fmt.Errorf("the orchestrator did not print its address: %q", said)
	}
	d.servers = append(d.servers, address)
	return p, nil
}

// startWorker starts all workers in one process.
func (d *deployment) startWorker(ctx context.Context) error {
	if d.options.Embedded || d.options.AMQPURL == "" {
		return nil
	}
	environment := []string{"AMQP_URL=" + d.options.AMQPURL, "AMQP_PREFIX=" + d.prefix}
	program := d.options.program("worker", environment, "bench-worker", "--concurrency", fmt.Sprint(d.options.Concurrency))
	if other := d.options.Worker; len(other) > 0 {
		program.Path, program.Arguments = other[0], other[1:]
	}
	p, _, err := program.Start(ctx)
	if err != nil {
		return err
	}
	d.keep(p)
	d.group(loadtest.Group{Name: groupWorker, PIDs: []int{p.PID()}, Peak: true})
	return nil
}

// watchPostgres adds the Postgres server of the database to the meter.
func (d *deployment) watchPostgres(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return fmt.Errorf("connect to Postgres to measure it: %w", err)
	}
	d.cleanup(conn.Close)
	d.meter.Postgres = conn
	pids, err := d.meter.Processes.Postmaster(ctx, conn)
	d.group(loadtest.Group{Name: groupPostgres, PIDs: pids})
	return err
}

// watchRabbitMQ adds RabbitMQ to the meter, if it runs on this machine.
func (d *deployment) watchRabbitMQ() {
	broker := loadtest.Group{Name: groupRabbitMQ}
	if uri, err := amqp.ParseURI(d.options.AMQPURL); err == nil {
		broker.PIDs = d.meter.Processes.Listener(net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port)), "beam.smp")
	}
	d.group(broker)
}

func (d *deployment) group(g loadtest.Group) { d.meter.Groups = append(d.meter.Groups, g) }

func (d *deployment) cleanup(f func(context.Context) error) { d.cleanups = append(d.cleanups, f) }

func (d *deployment) keep(p *process.Process) {
	d.processes = append(d.processes, p)
	d.cleanup(func(context.Context) error { return p.Stop() })
}

// watch ends the run as soon as one of its processes exits. The caller must cancel ctx before it closes the deployment.
func (d *deployment) watch(ctx context.Context, end context.CancelCauseFunc) {
	for _, p := range d.processes {
		d.watches.Go(func() {
			select {
			case <-p.Ended():
				end(p.Fault())
			case <-ctx.Done():
			}
		})
	}
}

// close stops the processes and removes everything that was created for the run.
func (d *deployment) close(ctx context.Context) error {
	d.watches.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
	defer cancel()
	var faults error
	for _, cleanup := range slices.Backward(d.cleanups) {
		faults = errors.Join(faults, cleanup(ctx))
	}
	return faults
}
