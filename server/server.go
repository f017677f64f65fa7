package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/demo"
	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/internal/traces"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Server is an orchestrator. Call Open to create one, then Run once.
type Server struct {
	config   Config
	store    storage
	broker   broker
	compiler saga.Compiler
	engine   *engine.Engine
	relay    *relay.Relay
	between  *between
	bulk     *operate.Bulk
	retain   *operate.Retention
	health   *operate.Health
	events   *eventSinks
	traces   *traces.Tracer    // nil: none
	payloads *operate.Payloads // nil: the store seals none
	metrics  *metrics
	monitor  *api.Monitor
	demo     *demo.Demo // nil: none
	stopping chan struct{}
	ran      atomic.Bool // Run was called

	handler  http.Handler   // page and API
	own      *api.Admission // to the handler, for an HTTP server of the program
	listener net.Listener   // nil: none
	http     *http.Server   // nil without a listener
}

// errRanBefore means that Run was called twice.
var errRanBefore = errors.New("this server has already been run: open a new one")

// Open opens the store and, unless NoListener is set, listens on the address; Run then serves. An unreachable database is an error. An unreachable
// broker is not: the server connects when the broker is available.
func Open(ctx context.Context, config Config) (*Server, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if !config.NoListener {
		if err := api.CheckExposure(api.Auth(config.Auth), config.Listen, config.Insecure); err != nil {
			return nil, err
		}
	}
	s := &Server{config: config, metrics: newMetrics(), stopping: make(chan struct{})}
	var err error
	if s.store, s.broker, err = config.parts(ctx); err != nil {
		return nil, err
	}
	if err := s.assemble(ctx); err != nil {
		return nil, errors.Join(err, s.close(context.WithoutCancel(ctx), newEnding(s.config.Logger)))
	}
	return s, nil
}

func (s *Server) assemble(ctx context.Context) error {
	var err error
	if tracing() {
		if s.traces, err = traces.New(ctx, s.config.Version, s.config.Logger); err != nil {
			return err
		}
	}
	s.between = newBetween(s.publisher(), func(ctx context.Context, m *wire.Command) error { return s.engine.Deliver(ctx, m) })
	s.relay = relay.New(relay.Config{
		Rows: s.store, Publisher: s.between, Logger: s.config.Logger,
		Published: func(ctx context.Context, id saga.CommandID, done func()) { s.engine.Published(ctx, id, done) },
		Sent:      func(commands int) { s.metrics.published.Observe(float64(commands)) },
	})
	if s.events, err = s.newEventSinks(); err != nil {
		return err
	}
	if err := s.makeEngine(); err != nil {
		return err
	}
	if s.config.Demo && s.config.embedded() && !s.config.SimulateWorkers {
		s.demo = demo.New(demo.Config{Engine: s.engine, Reads: s.store, Transport: s.broker, Logger: s.config.Logger})
	}
	if s.retain, err = s.newRetention(); err != nil {
		return err
	}
	s.health = s.newHealth()
	s.payloads = s.newPayloads()
	s.bulk = operate.NewBulk(operate.Config{
		Bulks: s.store, Holder: rand.Text(), Logger: s.config.Logger,
		Targets: map[record.BulkKind]operate.Targets{
			record.BulkSagas: operate.OnSagas(s.engine), record.BulkDeadLetters: operate.OnDeadLetters(s.engine, s.store),
		},
	})
	s.monitor = api.NewMonitor(api.MonitorConfig{
		Reads: s.store, Broker: s.broker, MaxQueueDepth: s.config.MaxQueueDepth, HealthEvery: s.config.HealthInterval, Version: s.config.Version, Payloads: s.payloadStatus(),
		Logger: s.config.Logger, Registry: s.metrics.registry,
	})
	return s.openHTTP(ctx)
}

// makeEngine makes the engine, which decides on sagas.
func (s *Server) makeEngine() error {
	compiler, err := definitions.NewCompiler()
	if err != nil {
		return err
	}
	s.compiler = compiler
	s.engine = engine.New(engine.Config{
		Compiler: compiler,
		Store:    s.store, Outbox: s.relay, Queues: s.broker,
		OverdueAfter: s.config.OverdueAfter, Logger: s.config.Logger,
		DecodeStart: decodeStart, QueueStart: s.queueStart(), Repliers: s.config.Repliers, StartsUnaudited: s.config.StartsUnaudited, Events: s.events.sinks,
		Committed: func(commit engine.Commit) {
			s.metrics.observe(commit)
			s.relay.Freed()
			s.events.committed(commit)
			s.trace(commit)
		},
	})
	s.metrics.heldUp(s.engine.Health)
	return nil
}

// queueSet makes every replica go by new settings of a queue.
func (s *Server) queueSet(ctx context.Context) {
	if s.config.embedded() {
		_ = s.relay.Follow(ctx) // it has logged the error, and reads them again
		return
	}
	s.relay.Settle(ctx)
}

// Transport returns the transport for workers in this process. Stop the workers before the server.
func (s *Server) Transport() steps.Transport { return s.broker }

// Run serves until ctx ends. It then accepts no new work, ends streams and waiting requests, finishes what it has begun within
// ten seconds, and closes the store and the broker. It returns an error if serving or closing fails, and at once if it was called
// before: to serve again, Open a new server.
func (s *Server) Run(ctx context.Context) error {
	if s.ran.Swap(true) {
		return errRanBefore
	}
	deciding, stopDeciding := context.WithCancel(context.WithoutCancel(ctx))
	publishing, stopPublishing := context.WithCancel(context.WithoutCancel(ctx))
	taking, stopTaking := context.WithCancel(ctx)
	defer stopDeciding()
	defer stopPublishing()
	defer stopTaking()

	var intake, engine, relay sync.WaitGroup
	relay.Go(func() { s.relay.Run(publishing); s.between.wait() })
	relay.Go(func() { s.events.run(publishing) })
	engine.Go(func() { s.engine.Run(deciding, engineGrace) })
	intake.Go(func() { s.declare(taking) })
	intake.Go(func() { s.monitor.Run(taking) })
	intake.Go(func() { s.takeMessages(taking) })
	intake.Go(func() { s.takeStartRequests(taking) })
	intake.Go(func() { s.bulk.Run(taking) })
	intake.Go(func() { s.retain.Run(taking) })
	intake.Go(func() { s.health.Run(taking) })
	if s.payloads != nil {
		intake.Go(func() { s.payloads.Run(taking) })
	}
	if waits, has := s.store.(operate.Waits); has { // the embedded store's clock is this process's
		intake.Go(func() { operate.EndWaitsAhead(taking, waits, s.config.Logger) })
	}
	intake.Go(func() {
		operate.Audit{Log: s.store, Age: max(s.config.RetainAudit, 0), Logger: s.config.Logger}.Run(taking)
	})
	switch {
	case s.demo != nil:
		intake.Go(func() { s.demo.Run(taking) })
	case s.config.Demo && s.config.SimulateWorkers:
		intake.Go(func() { s.simulatedOrders(taking) })
	}

	var failure, late error
	served := s.serveHTTP()
	select {
	case <-ctx.Done():
	case failure = <-served:
	}
	end := newEnding(s.config.Logger)
	stopTaking()
	close(s.stopping)
	if end.must(answersBy, "the HTTP server", func() { late = s.endHTTP(context.WithoutCancel(ctx), served) }) {
		failure = errors.Join(failure, late)
	}
	end.within(intakeBy, intake.Wait) // the intake may wait for the engine, which stops below
	stopDeciding()
	end.must(engineBy, "the engine", engine.Wait)
	end.must(engineBy, "the intake of messages", intake.Wait)
	stopPublishing()
	end.must(relayBy, "the relay", relay.Wait)
	return errors.Join(failure, s.close(context.WithoutCancel(ctx), end))
}

// close closes what Open has opened. It does not wait longer than the shutdown allows, because an unresponsive database or
// broker can block its client.
func (s *Server) close(ctx context.Context, end *ending) error {
	ctx, cancel := context.WithTimeout(ctx, brokerGrace)
	defer cancel()
	if s.listener != nil {
		_ = s.listener.Close() // the HTTP server has usually closed it
	}
	s.events.close()
	if s.traces != nil {
		s.traces.Close(ctx, s.config.Logger)
	}
	var fromBroker, fromStore error
	brokerClosed := end.within(brokerBy, func() { fromBroker = s.broker.Close(ctx) })
	storeClosed := end.within(storeBy, func() { fromStore = s.store.Close() })
	var failures []error
	if brokerClosed {
		failures = append(failures, fromBroker)
	}
	if storeClosed {
		failures = append(failures, fromStore)
	}
	return errors.Join(failures...)
}
