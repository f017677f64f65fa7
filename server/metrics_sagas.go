package server

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	// maxDefinitionLabels and maxStepLabels bound what metrics name. Further definitions, and further steps, are counted together.
	// A definition may have other steps in each of its versions.
	maxDefinitionLabels = 200
	maxStepLabels       = 2000
	otherLabel          = "other"
)

// sagaMetrics are the metrics of what this process has decided. Their sums over all replicas are right: each decision is
// committed by one of them.
type sagaMetrics struct {
	started, finished      *prometheus.CounterVec
	duration, stepDuration *prometheus.HistogramVec
	attempts               *prometheus.CounterVec
	lateness               prometheus.Histogram

	mu    sync.Mutex
	named map[string]map[string]bool // steps that metrics name, by definition
	steps int                        // how many these are
	known map[attemptLabels]attemptSeries
}

// attemptLabels are the labels of the end of an attempt.
type attemptLabels struct {
	definition, step string
	action           saga.Direction
	outcome          string
}

// attemptSeries are the series under such labels. They are kept, because every attempt would have to find them by their labels.
type attemptSeries struct {
	count    prometheus.Counter
	duration prometheus.Observer // nil unless the outcome is a success
}

func newSagaMetrics(registry *prometheus.Registry) *sagaMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	seconds := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	short := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	long := []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600}
	m := &sagaMetrics{
		started:      counter("saga_started_total", "Sagas that began to run.", "definition"),
		finished:     counter("saga_finished_total", "Sagas that ended, by their status.", "definition", "status"),
		duration:     seconds("saga_duration_seconds", "From the start of a saga to its end.", long, "definition", "status"),
		attempts:     counter("saga_step_attempts_total", "Attempts of steps and of compensations that ended, by their outcome.", "definition", "step", "action", "outcome"),
		stepDuration: seconds("saga_step_duration_seconds", "From the dispatch of a successful attempt to its reply.", short, "definition", "step", "action"),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "saga_timer_lateness_seconds", Help: "From the time at which a saga was due to the decision.", Buckets: short,
		}),
		named: make(map[string]map[string]bool), known: make(map[attemptLabels]attemptSeries),
	}
	registry.MustRegister(m.started, m.finished, m.duration, m.attempts, m.stepDuration, m.lateness)
	return m
}

// label returns the definition's name, or the label of all definitions beyond the bound.
func (m *sagaMetrics) label(definition string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.named[definition] == nil {
		if len(m.named) == maxDefinitionLabels {
			return otherLabel
		}
		m.named[definition] = make(map[string]bool)
	}
	return definition
}

// stepLabel returns the step's name, or the label of all steps beyond the bound. definition is a label.
func (m *sagaMetrics) stepLabel(definition, step string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	steps := m.named[definition]
	switch {
	case steps[step]:
	case steps == nil || m.steps == maxStepLabels:
		return otherLabel
	default:
		steps[step] = true
		m.steps++
	}
	return step
}

func (m *sagaMetrics) observe(d engine.Decided) {
	definition := m.label(d.Definition.Name)
	if !d.WakeAt.IsZero() {
		m.lateness.Observe(max(0, d.After.UpdatedAt.Sub(d.WakeAt).Seconds()))
	}
	for i := range d.Entries {
		entry := &d.Entries[i]
		switch entry.Type {
		case saga.EntryStarted:
			m.started.WithLabelValues(definition).Inc()
		case saga.EntryCompleted, saga.EntryCompensated, saga.EntryAbandoned:
			m.end(definition, d.After, entry)
		default:
			m.attempt(definition, d, entry)
		}
	}
}

func (m *sagaMetrics) end(definition string, in *saga.Instance, entry *saga.Entry) {
	status := map[saga.EntryType]saga.Status{
		saga.EntryCompleted: saga.Completed, saga.EntryCompensated: saga.Compensated, saga.EntryAbandoned: saga.Abandoned,
	}[entry.Type]
	m.finished.WithLabelValues(definition, string(status)).Inc()
	m.duration.WithLabelValues(definition, string(status)).Observe(max(0, entry.At.Sub(beganAt(in)).Seconds()))
}

// attempt counts the end of an attempt.
func (m *sagaMetrics) attempt(definition string, d engine.Decided, entry *saga.Entry) {
	ended, is := attemptOf(d, entry)
	if !is {
		return
	}
	series := m.series(attemptLabels{definition, m.stepLabel(definition, entry.Step), ended.action, ended.outcome})
	series.count.Inc()
	if ended.known && series.duration != nil {
		series.duration.Observe(max(0, entry.At.Sub(ended.dispatched).Seconds()))
	}
}

func (m *sagaMetrics) series(labels attemptLabels) attemptSeries {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, known := m.known[labels]
	if !known {
		action := string(labels.action)
		found.count = m.attempts.WithLabelValues(labels.definition, labels.step, action, labels.outcome)
		if labels.outcome == attemptSucceeded {
			found.duration = m.stepDuration.WithLabelValues(labels.definition, labels.step, action)
		}
		m.known[labels] = found
	}
	return found
}
