package api

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	lookEvery     = time.Second      // interval of the checks of database and broker
	lookTimeout   = 2 * time.Second  // of one round of checks
	knownFor      = 5 * time.Second  // validity of the result of the checks
	surveyEvery   = 10 * time.Second // interval of the survey
	surveyTimeout = 5 * time.Second
)

// MonitorConfig configures a Monitor. Reads and Broker are required.
type MonitorConfig struct {
	Reads         Reads
	Broker        Broker
	HealthEvery   time.Duration // between two reads of the health of queues, at most 10 s; 0: 10 s
	MaxQueueDepth int           // a deeper worker queue makes the process not ready; 0: no limit
	Version       string
	// Payloads returns the status of the keys of payloads. nil: the store seals none.
	Payloads func() record.PayloadStatus
	Logger   *slog.Logger         // nil: no logs
	Registry *prometheus.Registry // receives the gauges; nil: none
}

// Monitor checks the database, the broker and the queues in the background, so that a probe is answered from memory and
// never queries them.
type Monitor struct {
	config     MonitorConfig
	inspection *inspection
	gauges     *gauges
	samples    samples
	census     *census
	cache      *definitions.Cache

	looking sync.Mutex // held during lookNow
	mutex   sync.Mutex // guards the fields below
	running bool
	checks  map[string]string
	lookAt  time.Time // time of checks
	found   survey
	queues  []record.QueueHealth // by name
	sampled []string             // names of worker queues, sorted; nil: not known yet

	surveying sync.Mutex // held while surveying; guards scan
	scan      scan

	countAt, sampleAt, keepAt time.Time // of the next count and samples; owned by the goroutine that takes them
}

// NewMonitor returns a monitor. It has no results before Run or the first probe.
func NewMonitor(config MonitorConfig) *Monitor {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Registry == nil {
		config.Registry = prometheus.NewRegistry()
	}
	if config.HealthEvery <= 0 {
		config.HealthEvery = surveyEvery
	}
	config.HealthEvery = min(config.HealthEvery, surveyEvery)
	return &Monitor{
		config: config, inspection: newInspection(config.Broker, config.Logger), gauges: newGauges(config.Registry, config.Version), census: newCensus(config.Registry),
		cache: definitions.NewCache(config.Reads.Definition, maxDefinitions),
	}
}

// Run checks until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	m.mutex.Lock()
	m.running = true
	m.mutex.Unlock()
	var surveying sync.WaitGroup
	surveying.Go(func() { every(ctx, surveyEvery, m.survey) })
	surveying.Go(func() { every(ctx, surveyEvery, m.sample) })
	surveying.Go(func() { every(ctx, surveyEvery, m.count) })
	surveying.Go(func() { every(ctx, m.config.HealthEvery, m.readHealth) })
	every(ctx, lookEvery, m.look)
	surveying.Wait()
}

// every calls work now and at each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, work func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		work(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// look checks whether this process can work.
func (m *Monitor) look(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	checks := make(map[string]string)
	var parts sync.WaitGroup
	var database error
	queues := checkUnknown
	parts.Go(func() { database = m.config.Reads.Ping(limited) })
	if m.config.MaxQueueDepth > 0 {
		parts.Go(func() { queues = m.queuesKept(limited) })
	}
	parts.Wait()
	checks["broker"], checks["database"] = reachable(m.config.Broker.Ready()), reachable(database)
	if m.config.MaxQueueDepth > 0 {
		checks["queues"] = queues
	}
	if status := m.payloads(); len(status.Missing) > 0 {
		checks["payload_keys"] = "missing"
	}
	if ctx.Err() != nil {
		return // the process is ending, so the result is meaningless
	}
	m.gauges.checked(checks, m.deadLettering())
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if database != nil && m.checks["database"] != checks["database"] {
		m.config.Logger.Warn("the database is not ready", "check", checks["database"], "error", database)
	}
	m.checks, m.lookAt = checks, time.Now()
}

func (m *Monitor) payloads() record.PayloadStatus {
	if m.config.Payloads == nil {
		return record.PayloadStatus{}
	}
	return m.config.Payloads()
}

// known returns the last result of each check, or "unknown" if the result is too old.
func (m *Monitor) known(ctx context.Context) map[string]string {
	m.mutex.Lock()
	running, fresh := m.running, time.Since(m.lookAt) < lookEvery
	m.mutex.Unlock()
	if !running && !fresh {
		m.lookNow(ctx)
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	checks := map[string]string{"database": checkUnknown, "broker": checkUnknown}
	if m.config.MaxQueueDepth > 0 {
		checks["queues"] = checkUnknown
	}
	if time.Since(m.lookAt) <= knownFor {
		maps.Copy(checks, m.checks)
	}
	return checks
}

// lookNow serves a program that does not call Run: it checks on request, at most once a second.
func (m *Monitor) lookNow(ctx context.Context) {
	m.looking.Lock()
	defer m.looking.Unlock()
	m.mutex.Lock()
	fresh, surveyed := time.Since(m.lookAt) < lookEvery, time.Since(m.found.at) < surveyEvery
	m.mutex.Unlock()
	if fresh {
		return
	}
	m.look(context.WithoutCancel(ctx))
	if !surveyed {
		m.survey(context.WithoutCancel(ctx))
		m.readHealth(context.WithoutCancel(ctx))
	}
}

// The results of a check.
const (
	checkOK          = "ok"
	checkUnknown     = "unknown"
	checkUnreachable = "unreachable"
	checkStopped     = "stopped"
)

// reachable returns the result of a check. Texts of errors are shown only if they may be public.
func reachable(err error) string {
	var public interface{ Public() string }
	switch {
	case err == nil:
		return checkOK
	case errors.As(err, &public):
		return public.Public()
	default:
		return checkUnreachable
	}
}

// queuesKept checks whether every worker queue is within the maximum depth.
func (m *Monitor) queuesKept(ctx context.Context) string {
	names, err := queuesInUse(ctx, m.config.Reads)
	if err != nil {
		return checkUnknown
	}
	states := m.inspection.states(ctx, names)
	for _, name := range names {
		if states[name].Depth > m.config.MaxQueueDepth {
			return "queue " + name + " holds more than " + decimal(m.config.MaxQueueDepth) + " messages"
		}
	}
	if len(states) < len(names) {
		return checkUnknown
	}
	return checkOK
}

// health returns the answer of /readyz.
func (m *Monitor) health(ctx context.Context) resource.Health {
	health := resource.Health{Status: checkOK, Version: m.config.Version, Checks: m.known(ctx)}
	for _, found := range health.Checks {
		if found != checkOK {
			health.Status = "unavailable"
		}
	}
	return health
}
