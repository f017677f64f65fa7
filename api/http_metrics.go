package api

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// observed holds the metrics of requests.
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
			Name: "saga_http_request_duration_seconds", Help: "Duration of requests, including their wait.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 30, 60},
		}, []string{"method", "route"}),
	}
	registry.MustRegister(o.requests, o.duration)
	// The owner of the registry may have registered these already, so the error is ignored.
	_ = registry.Register(collectors.NewGoCollector())
	_ = registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return o
}

// count counts one request. Unknown methods and paths share a label, which bounds the number of series.
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
