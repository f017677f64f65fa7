package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// gauges are the metrics of what is broken. The monitor sets them, so that a scrape does not query anything.
type gauges struct {
	broker, database   prometheus.Gauge
	deadLettering      prometheus.Gauge
	outboxPending      prometheus.Gauge
	outboxOldest       prometheus.Gauge
	startsPending      prometheus.Gauge
	startsOldest       prometheus.Gauge
	deadLetters        *prometheus.GaugeVec
	queueProblems      *prometheus.GaugeVec
	sagas, definitions prometheus.Gauge
	auditOldest        prometheus.Gauge
	auditEntries       prometheus.Gauge
	eventsOldest       *prometheus.GaugeVec
}

// maxQueueLabels bounds the queues that a metric names.
const maxQueueLabels = 200

func newGauges(registry *prometheus.Registry, version string) *gauges {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	g := &gauges{
		broker:        gauge("saga_broker_connected", "1 if commands can be published, else 0."),
		database:      gauge("saga_database_connected", "1 if the database can be written, else 0."),
		deadLettering: gauge("saga_broker_dead_lettering", "0 once the broker has stopped dead-lettering messages, else 1."),
		outboxPending: gauge("saga_outbox_pending", "Commands that the broker has not confirmed."),
		outboxOldest:  gauge("saga_outbox_oldest_seconds", "Age of the oldest unconfirmed command; 0 if there are none."),
		startsPending: gauge("saga_start_requests_pending", "Starts from SQL that no replica has stored."),
		startsOldest:  gauge("saga_start_requests_oldest_seconds", "Age of the oldest of these starts; 0 if there are none."),
		deadLetters: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "saga_dead_letters", Help: "Messages that could not be processed, by source.",
		}, []string{"source"}),
		queueProblems: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "saga_queue_problem", Help: "1 for each worker queue that accepts no commands at present, by kind of problem.",
		}, []string{"queue", "kind"}),
		eventsOldest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "saga_events_oldest_seconds", Help: "Age of the oldest lifecycle event that a sink has not taken; 0 if there are none.",
		}, []string{"sink"}),
		sagas:        gauge("saga_unreadable_sagas", "Unfinished sagas that cannot be read, as found by the last complete scan."),
		definitions:  gauge("saga_unreadable_definitions", "Definitions whose latest version cannot be read."),
		auditOldest:  gauge("saga_audit_oldest_seconds", "Age of the oldest entry of the audit log that is not sealed; 0 if there are none."),
		auditEntries: gauge("saga_unreadable_audit_entries", "Entries of the audit log that stand for one that could not be read."),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "saga_build_info", Help: "Always 1; the label is the version of the program.",
	}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	for _, source := range deadLetterSources() {
		g.deadLetters.WithLabelValues(source) // exposes the series as zero before the first dead letter
	}
	registry.MustRegister(g.broker, g.database, g.deadLettering, g.outboxPending, g.outboxOldest, g.startsPending, g.startsOldest, g.deadLetters, g.queueProblems,
		g.sagas, g.definitions, g.auditOldest, g.auditEntries, g.eventsOldest, build)
	return g
}

// deadLetterSources returns the sources of dead letters.
func deadLetterSources() []string {
	return []string{record.SourceCommand, record.SourceReply, record.SourceStart}
}

// checked sets the gauges from the checks.
func (g *gauges) checked(checks map[string]string, deadLettering string) {
	set := func(gauge prometheus.Gauge, good bool) {
		gauge.Set(0)
		if good {
			gauge.Set(1)
		}
	}
	set(g.broker, checks["broker"] == checkOK)
	set(g.database, checks["database"] == checkOK)
	set(g.deadLettering, deadLettering != checkStopped)
}

// surveyed sets the gauges from a survey. A gauge without a new value keeps its old one.
func (g *gauges) surveyed(found survey) {
	if found.backlog != nil {
		g.outboxPending.Set(float64(found.backlog.OutboxPending))
		g.outboxOldest.Set(found.age(found.backlog.OutboxOldest))
		g.startsPending.Set(float64(found.backlog.StartsPending))
		g.startsOldest.Set(found.age(found.backlog.StartsOldest))
		for _, sink := range record.Sinks() {
			g.eventsOldest.WithLabelValues(string(sink)).Set(found.age(found.backlog.EventsOldest[sink]))
		}
		g.auditOldest.Set(found.age(found.backlog.AuditOldest))
		g.auditEntries.Set(float64(found.backlog.AuditUnreadable))
		for _, source := range deadLetterSources() {
			g.deadLetters.WithLabelValues(source).Set(float64(found.backlog.DeadLetters[source]))
		}
	}
	g.sagas.Set(float64(found.sagas))
	g.definitions.Set(float64(found.definitions))
	g.queueProblems.Reset()
	for _, problem := range firstOf(found.problems, maxQueueLabels) {
		g.queueProblems.WithLabelValues(problem.Queue, string(problem.Kind)).Set(1)
	}
}

// age returns how long ago something was, in seconds; 0 if it is not.
func (s survey) age(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(0, s.at.Sub(at).Seconds())
}

func firstOf(problems []record.QueueProblem, most int) []record.QueueProblem {
	return problems[:min(most, len(problems))]
}
