package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// publicRoutes are those that need no key: what a load balancer, a scraper and a reader of the documentation ask.
func (s *service) publicRoutes() {
	s.router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeHealth(w, resource.Health{Status: "ok", Version: s.Version})
	})
	s.router.Get("/readyz", s.ready)
	s.router.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))
	s.router.Get("/openapi.json", s.openAPIDocument())
	s.router.Get("/docs", s.docs())
}

// ready says whether this process can do its work now. It tells what is wrong, but not how: everyone may ask.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.RequestTimeout)
	defer cancel()
	health := resource.Health{Status: "ok", Version: s.Version, Checks: make(map[string]string)}
	var mutex sync.Mutex
	var checks sync.WaitGroup
	for name, check := range s.checks() {
		checks.Go(func() {
			found := check(ctx)
			mutex.Lock()
			defer mutex.Unlock()
			health.Checks[name] = found
			if found != "ok" {
				health.Status = "unavailable"
			}
		})
	}
	checks.Wait()
	writeHealth(w, health)
}

func (s *service) checks() map[string]func(context.Context) string {
	checks := map[string]func(context.Context) string{
		"database": func(ctx context.Context) string { return reachable(s.Reads.Ping(ctx)) },
		"broker":   func(context.Context) string { return reachable(s.Broker.Ready()) },
	}
	if s.MaxQueueDepth > 0 {
		checks["queues"] = s.queuesKept
	}
	return checks
}

func reachable(err error) string {
	if err != nil {
		return "unreachable"
	}
	return "ok"
}

// queuesKept looks whether a worker queue is deeper than it may be.
func (s *service) queuesKept(ctx context.Context) string {
	names, err := s.queueNames(ctx)
	if err != nil {
		return "unknown"
	}
	for _, state := range s.inspect(ctx, names) {
		if state.Depth > s.MaxQueueDepth {
			return "a worker queue holds more than " + decimal(s.MaxQueueDepth) + " messages"
		}
	}
	return "ok"
}

func writeHealth(w http.ResponseWriter, health resource.Health) {
	w.Header().Set("Content-Type", "application/json")
	if health.Status != "ok" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(health) // the client has gone: there is nobody to tell
}
