package api

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

const (
	lookEvery     = time.Second      // how often database and broker are looked at
	lookTimeout   = 2 * time.Second  // of one look
	knownFor      = 5 * time.Second  // how long the result of a look counts
	surveyEvery   = 10 * time.Second // how often what is broken is counted
	surveyTimeout = 5 * time.Second
)

// MonitorConfig is what a Monitor is made of. Reads and Broker are required.
type MonitorConfig struct {
	Reads         Reads
	Broker        Broker
	MaxQueueDepth int // of a worker queue, beyond which the process is not ready; 0: no limit
	Version       string
	Logger        *slog.Logger         // nil: no log
	Registry      *prometheus.Registry // gets the gauges of what is broken; nil: none
}

// Monitor looks at the database, the broker and the queues in the background, so that a probe is answered from what is
// known: it asks nobody, however often it comes and however soon it leaves.
type Monitor struct {
	config     MonitorConfig
	inspection *inspection
	gauges     *gauges
	plans      *definitionCache

	looking sync.Mutex // held by whoever looks
	mutex   sync.Mutex // guards what follows
	running bool
	checks  map[string]string
	lookAt  time.Time // when checks were found
	found   survey

	surveying sync.Mutex // held while surveying; guards scan
	scan      scan
}

// NewMonitor makes a monitor. It knows nothing before Run, or before it is asked.
func NewMonitor(config MonitorConfig) *Monitor {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Registry == nil {
		config.Registry = prometheus.NewRegistry()
	}
	return &Monitor{
		config: config, inspection: newInspection(config.Broker, config.Logger), gauges: newGauges(config.Registry, config.Version),
		plans: newDefinitionCache(config.Reads),
	}
}

// Run looks until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	m.mutex.Lock()
	m.running = true
	m.mutex.Unlock()
	var surveying sync.WaitGroup
	surveying.Go(func() { every(ctx, surveyEvery, m.survey) })
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

// look finds out whether this process can do its work now.
func (m *Monitor) look(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	checks := make(map[string]string)
	var parts sync.WaitGroup
	database, queues := checkUnknown, checkUnknown
	parts.Go(func() { database = reachable(m.config.Reads.Ping(limited)) })
	if m.config.MaxQueueDepth > 0 {
		parts.Go(func() { queues = m.queuesKept(limited) })
	}
	parts.Wait()
	checks["broker"], checks["database"] = reachable(m.config.Broker.Ready()), database
	if m.config.MaxQueueDepth > 0 {
		checks["queues"] = queues
	}
	if ctx.Err() != nil {
		return // the process ends: what was found says nothing
	}
	m.gauges.connected(checks)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.checks, m.lookAt = checks, time.Now()
}

// known returns the result of the last look; each check is "unknown" if that was too long ago.
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

// lookNow is for a monitor that nobody runs, in a program that serves the API without one: it looks when it is asked, at
// most once a second.
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
	}
}

// What a check may find.
const (
	checkOK          = "ok"
	checkUnknown     = "unknown"
	checkUnreachable = "unreachable"
)

func reachable(err error) string {
	if err != nil {
		return checkUnreachable
	}
	return checkOK
}

// queuesKept looks whether a worker queue is deeper than it may be.
func (m *Monitor) queuesKept(ctx context.Context) string {
	names, err := queueNames(ctx, m.config.Reads)
	if err != nil {
		return checkUnknown
	}
	states := m.inspection.states(ctx, names)
	for _, name := range names {
		if states[name].Depth > m.config.MaxQueueDepth {
			return "a worker queue holds more than " + decimal(m.config.MaxQueueDepth) + " messages"
		}
	}
	if len(states) < len(names) {
		return checkUnknown
	}
	return checkOK
}

// health is the answer of /readyz.
func (m *Monitor) health(ctx context.Context) resource.Health {
	health := resource.Health{Status: checkOK, Version: m.config.Version, Checks: m.known(ctx)}
	for _, found := range health.Checks {
		if found != checkOK {
			health.Status = "unavailable"
		}
	}
	return health
}
