package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// metrics holds the metrics of events and messages. The size of batches shows the load: an idle process has batches of one.
type metrics struct {
	registry  *prometheus.Registry
	committed prometheus.Histogram
	published prometheus.Histogram
	received  *prometheus.CounterVec
	deleted   *prometheus.CounterVec
	rounds    *prometheus.CounterVec
	events    *prometheus.CounterVec
	webhooks  *prometheus.CounterVec
	sagas     *sagaMetrics
	rewrite   prometheus.Gauge
}

// The labels of received messages.
const (
	fromReplies = "replies"
	fromDead    = "dead"
	fromStart   = "start"
	fromSQL     = record.StartRequests
)

func newMetrics() *metrics {
	sizes := prometheus.ExponentialBuckets(1, 2, 9) // 1 to 256, the default limit of a batch
	m := &metrics{
		registry: prometheus.NewRegistry(),
		committed: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "saga_committed_batch_events", Help: "Events in one transaction.", Buckets: sizes,
		}),
		published: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "saga_published_batch_commands", Help: "Commands in one publication, confirmed or not.", Buckets: sizes,
		}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "saga_messages_received_total", Help: "Messages received from the orchestrator's queues, by queue.",
		}, []string{"queue"}),
	}
	m.events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "saga_events_published_total", Help: "Lifecycle events that a sink has taken, by the sink.",
	}, []string{"sink"})
	m.webhooks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "saga_webhook_deliveries_total", Help: "Attempts to deliver an event to a webhook, by their outcome.",
	}, []string{"webhook", "outcome"})
	m.deleted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "saga_retention_deleted_total", Help: "What retention has deleted, by its kind.",
	}, []string{"kind"})
	for _, kind := range []string{operate.KindSagas, operate.KindKeys, operate.KindDeadLetters, operate.KindBulk} {
		m.deleted.WithLabelValues(kind)
	}
	m.rounds = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "saga_retention_rounds_total", Help: "Rounds of retention that this process has ended, by their outcome.",
	}, []string{"outcome"})
	for _, outcome := range []string{roundCompleted, roundFailed} {
		m.rounds.WithLabelValues(outcome)
	}
	for _, queue := range []string{fromReplies, fromDead, fromStart, fromSQL} {
		m.received.WithLabelValues(queue) // exposes the series as zero before the first message
	}
	m.rewrite = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "saga_payload_rewrite_remaining", Help: "Blocks of tables whose payloads are still to be read, to seal them with the current key; 0: done.",
	})
	m.registry.MustRegister(m.rewrite, m.committed, m.published, m.received, m.events, m.webhooks, m.deleted, m.rounds)
	m.sagas = newSagaMetrics(m.registry)
	return m
}

// heldUp exposes the work of the engine that is held up, or kept apart.
func (m *metrics) heldUp(health func() engine.Health) {
	gauge := func(name, help string, count func(engine.Health) int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			return float64(count(health()))
		}))
	}
	gauge("saga_parked_sagas", "Sagas with an event that cannot be stored, which this process retries alone.",
		func(h engine.Health) int { return h.Parked })
	gauge("saga_costly_definitions", "Versions of definitions whose sagas this process decides apart from others, because their conditions or schemas take long.",
		func(h engine.Health) int { return h.Costly })
	gauge("saga_costly_events_waiting", "Events of sagas of these definitions that wait in this process.",
		func(h engine.Health) int { return h.CostlyWaiting })
}

// observe observes a committed transaction.
func (m *metrics) observe(commit engine.Commit) {
	m.committed.Observe(float64(commit.Events))
	for decided := range commit.Sagas {
		m.sagas.observe(decided)
	}
}

// delivered counts an attempt to deliver an event to a webhook.
func (m *metrics) delivered(webhook, outcome string) {
	m.webhooks.WithLabelValues(webhook, outcome).Inc()
}

// retentionDeleted counts what retention has deleted.
func (m *metrics) retentionDeleted(kind string, count int) {
	m.deleted.WithLabelValues(kind).Add(float64(count))
}

// The outcomes of a round of retention.
const (
	roundCompleted = "completed"
	roundFailed    = "failed"
)

// retentionRounded counts a round of retention.
func (m *metrics) retentionRounded(err error) {
	outcome := roundCompleted
	if err != nil {
		outcome = roundFailed
	}
	m.rounds.WithLabelValues(outcome).Inc()
}
