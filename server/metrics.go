package server

import "github.com/prometheus/client_golang/prometheus"

// metrics is what /metrics says of the way of events and messages through this process. How large the batches are tells
// whether it keeps up one by one or gathers what waits.
type metrics struct {
	registry  *prometheus.Registry
	committed prometheus.Histogram
	published prometheus.Histogram
	received  *prometheus.CounterVec
}

// Labels of what is received.
const (
	fromReplies = "replies"
	fromDead    = "dead"
	fromStart   = "start"
)

func newMetrics() *metrics {
	sizes := prometheus.ExponentialBuckets(1, 2, 9) // 1 to 256, the most that a batch holds by default
	m := &metrics{
		registry: prometheus.NewRegistry(),
		committed: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "saga_committed_batch_events", Help: "Events that one transaction stored together.", Buckets: sizes,
		}),
		published: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "saga_published_batch_commands", Help: "Commands published together, confirmed or not.", Buckets: sizes,
		}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "saga_messages_received_total", Help: "Messages taken from the orchestrator's own queues, by queue.",
		}, []string{"queue"}),
	}
	for _, queue := range []string{fromReplies, fromDead, fromStart} {
		m.received.WithLabelValues(queue) // so that it is there, as zero, before the first message
	}
	m.registry.MustRegister(m.committed, m.published, m.received)
	return m
}
