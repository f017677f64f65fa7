package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// publicRoutes registers the routes that do not need a key: probes, metrics and the documentation.
func (s *service) publicRoutes() {
	s.router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeHealth(w, checkOK, resource.Health{Status: checkOK, Version: s.Version})
	})
	s.router.Get("/readyz", s.ready)
	s.router.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))
	s.router.Get("/openapi.json", s.openAPIDocument())
	s.router.Get("/docs", s.docs())
}

func writeHealth(w http.ResponseWriter, status string, health any) {
	w.Header().Set("Content-Type", "application/json")
	if status != checkOK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = jsonFormat().Marshal(w, health) // an error means that the client has left
}
