package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Auth is a way to authenticate callers.
type Auth string

// The ways to authenticate callers.
const (
	AuthKeys Auth = "keys" // a key in the Authorization header, with a role
	AuthNone Auth = "none" // every caller may do everything
)

// Config configures the API. Engine, Reads, Bulks, Webhooks and Broker are required; Keys is required unless Auth is AuthNone.
type Config struct {
	Engine Engine
	Reads  Reads
	Bulks  Bulks
	Broker Broker
	// Compiler compiles definitions for dry runs. nil: a dry run cannot describe sagas with conditions or schemas.
	Compiler saga.Compiler
	// QueueSet, if non-nil, is called after settings of a queue were stored. It returns when all replicas go by them.
	QueueSet func(ctx context.Context)
	// Webhooks stores webhooks. SendWebhook makes a delivery; EventSource is the source of test events.
	Webhooks    Webhooks
	SendWebhook func(ctx context.Context, delivery record.Delivery) error
	EventSource string
	Keys        Keys
	Auth        Auth // empty: AuthKeys
	// LocalAddress is the loopback address that the server listens on. With AuthNone the API accepts only requests whose
	// Host is this address, another loopback address or localhost. Empty: any Host.
	LocalAddress string

	// BasePath is the path under which callers reach the API, such as /saga: the OpenAPI document names it. Empty: the root.
	BasePath string

	Version  string               // of the program, in the OpenAPI document and /healthz
	Logger   *slog.Logger         // nil: no logs
	Registry *prometheus.Registry // nil: a new one
	Now      func() time.Time     // nil: time.Now

	// RequestTimeout bounds a request, not counting its ?wait. It is shorter than the usual timeout of callers, so that
	// they learn that the database does not answer. 0: 1.9 s.
	RequestTimeout time.Duration
	// KeyRate is the number of requests per second with one key, on this replica. 0: no limit.
	KeyRate int
	// KeepAlive is the interval of comments on a quiet event stream, which keep proxies from closing it. 0: 15 s.
	KeepAlive time.Duration
	// StreamAllowance is the time in which a watcher must read an event; a slower one is disconnected. 0: 10 s.
	StreamAllowance time.Duration
	// MaxQueueDepth makes /readyz fail when a worker queue holds more messages. 0: no limit.
	MaxQueueDepth int
	// Monitor answers /readyz. nil: a monitor that checks on request, at most once a second.
	Monitor *Monitor
	// Stopping is closed when the process is about to end: requests that wait for a change then return. May be nil.
	Stopping <-chan struct{}
}

func (c Config) withDefaults() Config {
	if c.Auth == "" {
		c.Auth = AuthKeys
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 1900 * time.Millisecond
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = 15 * time.Second
	}
	if c.Monitor == nil {
		c.Monitor = NewMonitor(MonitorConfig{
			Reads: c.Reads, Broker: c.Broker, MaxQueueDepth: c.MaxQueueDepth, Version: c.Version, Logger: c.Logger, Registry: c.Registry,
		})
	}
	if c.StreamAllowance == 0 {
		c.StreamAllowance = writeAllowance
	}
	return c
}

// service holds the state of the API.
type service struct {
	Config
	huma        huma.API
	router      chi.Router
	definitions *definitions.Cache
	keyring     *keyring
	observed    *observed
	shares      *shares
	keyLimiter  *httprate.RateLimiter // nil: no limit
}

// compiled compiles what read returns. A definition whose conditions or schemas this version does not know can still be shown.
func (s *service) compiled(read definitions.Read) definitions.Read {
	if s.Compiler == nil {
		return read
	}
	return func(ctx context.Context, name string, version int) (*saga.Definition, error) {
		definition, err := read(ctx, name, version)
		if err == nil {
			_ = definition.Compile(s.Compiler)
		}
		return definition, err
	}
}

// New returns the handler of the whole API.
func New(config Config) http.Handler {
	s := &service{Config: config.withDefaults(), router: chi.NewRouter()}
	s.definitions = definitions.NewCache(s.compiled(s.Reads.Definition), maxDefinitions)
	s.Reads, s.Bulks = scoped{s.Reads}, scopedBulks{s.Bulks}
	s.keyring = newKeyring(s.Keys, s.Now, s.Logger)
	s.observed = newObserved(s.Registry)
	s.shares = newShares()
	s.keyLimiter = newKeyLimiter(s.KeyRate)
	s.router.Use(s.identify, s.observe, s.recoverPanics, secureHeaders, s.localOnly, refuseAmbiguity, middleware.GetHead)
	s.router.NotFound(s.notFound)
	s.router.MethodNotAllowed(s.methodNotAllowed)
	s.huma = humachi.New(s.router, s.openAPI())

	s.definitionRoutes()
	s.sagaRoutes()
	s.actionRoutes()
	s.watchRoute()
	s.stuckRoutes()
	s.bulkRoutes()
	s.deadLetterRoutes()
	s.queueRoutes()
	s.statsRoutes()
	s.webhookRoutes()
	s.keyRoutes()
	s.auditRoutes()
	s.publicRoutes()
	return s.router
}
