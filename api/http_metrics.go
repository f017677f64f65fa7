package api

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// observed is what /metrics says of requests.
type observed struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newObserved(registry *prometheus.Registry) *observed {
	o := &observed{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "saga_http_requests_total", Help: "Requests answered, by method, route and status.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "saga_http_request_duration_seconds", Help: "Time to answer a request, with what it asked to wait for.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 30, 60},
		}, []string{"method", "route"}),
	}
	registry.MustRegister(o.requests, o.duration)
	// Whoever gave the registry may have put these in: then they are there, which is all that is wanted.
	_ = registry.Register(collectors.NewGoCollector())
	_ = registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return o
}

// count takes one request. Its labels have few values, whatever is asked for.
func (o *observed) count(method, route string, status int, took time.Duration) {
	known := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead}
	if !slices.Contains(known, method) {
		method = "other"
	}
	if route == "" {
		route = "none"
	}
	o.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	o.duration.WithLabelValues(method, route).Observe(took.Seconds())
}
