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

// arena is the orchestrator under load, and all that stands around it.
type arena struct {
	options Options
	servers []string // URLs
	prefix  string   // on the broker
	own     bool     // the database holds the sagas of this run and nothing else
	meter   loadtest.Meter

	processes []*process.Process
	watches   sync.WaitGroup
	cleanups  []func(context.Context) error // undone in reverse
}

// The names of the groups of processes, in reports.
const (
	groupOrchestrator = "orchestrator"
	groupWorker       = "worker"
	groupLoad         = "load"
	groupPostgres     = "postgres"
	groupRabbitMQ     = "rabbitmq"
)

// cleanupPatience bounds what is done when a run is over, whatever it has come to.
const cleanupPatience = time.Minute

// open brings up the orchestrator that the options ask for. The arena is to be closed also after an error.
func (o Options) open(ctx context.Context) (*arena, error) {
	a := &arena{options: o, prefix: o.AMQPPrefix, meter: loadtest.Meter{
		Processes: loadtest.Local(), Groups: []loadtest.Group{{Name: groupLoad, PIDs: []int{os.Getpid()}, Peak: true}},
	}}
	switch {
	case o.Server != "":
		return a, a.openGiven(ctx)
	case o.Embedded:
		return a, a.openEmbedded(ctx)
	default:
		return a, a.openStarted(ctx)
	}
}

// openStarted starts an orchestrator on a database and a prefix of its own.
func (a *arena) openStarted(ctx context.Context) error {
	database, drop, err := createDatabase(ctx, a.options.DatabaseURL)
	if err != nil {
		return err
	}
	a.cleanup(drop)
	a.own = true
	a.prefix = "bench-" + unique()
	a.cleanup(func(ctx context.Context) error {
		return rabbit.Remove(ctx, rabbit.Config{URL: a.options.AMQPURL, Prefix: a.prefix, Name: "bench"}, queues())
	})
	// By environment and not by flags, which everyone on the machine can read: the URLs hold passwords.
	environment := []string{"DATABASE_URL=" + database, "AMQP_URL=" + a.options.AMQPURL, "AMQP_PREFIX=" + a.prefix}
	var pids []int
	for range a.options.Replicas { // one after the other: the first brings the schema
		p, err := a.serve(ctx, environment, "serve", "--migrate", "--queue-type", a.options.QueueType)
		if err != nil {
			return err
		}
		pids = append(pids, p.PID())
	}
	a.group(loadtest.Group{Name: groupOrchestrator, PIDs: pids, Peak: true})
	a.options.say("an orchestrator of its own: %d × serve, database and queues made for the run", a.options.Replicas)
	a.watchRabbitMQ()
	return a.watchPostgres(ctx, database)
}

// openEmbedded starts an embedded orchestrator, which does the work of the workers, too.
func (a *arena) openEmbedded(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "orchestrator-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the state: %w", err)
	}
	a.cleanup(func(context.Context) error { return os.RemoveAll(folder) })
	p, err := a.serve(ctx, nil, "dev", "--simulate", "--no-sagas", "--file", filepath.Join(folder, "state.db"))
	if err != nil {
		return err
	}
	a.group(loadtest.Group{Name: groupOrchestrator, PIDs: []int{p.PID()}, Peak: true})
	a.options.say("an embedded orchestrator of its own, with simulated workers in its process")
	return nil
}

// openGiven looks at what of a given orchestrator is on this machine.
func (a *arena) openGiven(ctx context.Context) error {
	server, err := url.Parse(a.options.Server)
	if err != nil {
		return fmt.Errorf("read --server: %w", err)
	}
	a.servers = []string{server.Scheme + "://" + server.Host}
	a.group(loadtest.Group{Name: groupOrchestrator, PIDs: a.meter.Processes.Listener(server.Host, "")})
	if a.options.AMQPURL == "" {
		a.group(loadtest.Group{Name: groupRabbitMQ})
		a.group(loadtest.Group{Name: groupWorker})
		a.options.say("no --amqp-url: the workers of the queues %v are expected to be there (`orchestrator bench-worker`)", queues())
	} else {
		a.watchRabbitMQ()
	}
	if a.options.DatabaseURL == "" {
		a.group(loadtest.Group{Name: groupPostgres})
		return nil
	}
	return a.watchPostgres(ctx, a.options.DatabaseURL)
}

// program is this same executable with other arguments.
func (o Options) program(name string, environment []string, arguments ...string) process.Program {
	return process.Program{Name: name, Path: o.Executable, Environment: environment, Arguments: arguments}
}

// serve starts one orchestrator on a free port.
func (a *arena) serve(ctx context.Context, environment []string, arguments ...string) (*process.Process, error) {
	arguments = append(arguments, "--auth", "none", "--listen", "127.0.0.1:0", "--log-level", "warn", "--log-format", "text")
	p, said, err := a.options.program("orchestrator", environment, arguments...).Start(ctx)
	if err != nil {
		return nil, err
	}
	a.keep(p)
	address, found := announced(said)
	if !found {
		return nil, fmt.Errorf("the orchestrator does not say where it serves: %q", said)
	}
	a.servers = append(a.servers, address)
	return p, nil
}

// startWorker starts the workers, in one process.
func (a *arena) startWorker(ctx context.Context) error {
	if a.options.Embedded || a.options.AMQPURL == "" {
		return nil
	}
	environment := []string{"AMQP_URL=" + a.options.AMQPURL, "AMQP_PREFIX=" + a.prefix}
	p, _, err := a.options.program("worker", environment, "bench-worker", "--concurrency", fmt.Sprint(a.options.Concurrency)).Start(ctx)
	if err != nil {
		return err
	}
	a.keep(p)
	a.group(loadtest.Group{Name: groupWorker, PIDs: []int{p.PID()}, Peak: true})
	return nil
}

// watchPostgres lets the meter see the Postgres that the database is on.
func (a *arena) watchPostgres(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return fmt.Errorf("connect to Postgres, to see what it writes: %w", err)
	}
	a.cleanup(conn.Close)
	a.meter.Postgres = conn
	pids, err := a.meter.Processes.Postmaster(ctx, conn)
	a.group(loadtest.Group{Name: groupPostgres, PIDs: pids})
	return err
}

// watchRabbitMQ lets the meter see the RabbitMQ of the options, where that is on this machine.
func (a *arena) watchRabbitMQ() {
	broker := loadtest.Group{Name: groupRabbitMQ}
	if uri, err := amqp.ParseURI(a.options.AMQPURL); err == nil {
		broker.PIDs = a.meter.Processes.Listener(net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port)), "beam.smp")
	}
	a.group(broker)
}

func (a *arena) group(g loadtest.Group) { a.meter.Groups = append(a.meter.Groups, g) }

func (a *arena) cleanup(undo func(context.Context) error) { a.cleanups = append(a.cleanups, undo) }

func (a *arena) keep(p *process.Process) {
	a.processes = append(a.processes, p)
	a.cleanup(func(context.Context) error { return p.Stop() })
}

// watch ends the run as soon as one of its processes ends by itself. Whoever watches must cancel ctx in the end.
func (a *arena) watch(ctx context.Context, end context.CancelCauseFunc) {
	for _, p := range a.processes {
		a.watches.Go(func() {
			select {
			case <-p.Ended():
				end(p.Fault())
			case <-ctx.Done():
			}
		})
	}
}

// close undoes all that was done for the run.
func (a *arena) close(ctx context.Context) error {
	a.watches.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
	defer cancel()
	var faults error
	for _, undo := range slices.Backward(a.cleanups) {
		faults = errors.Join(faults, undo(ctx))
	}
	return faults
}
