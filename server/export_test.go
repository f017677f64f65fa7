package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
)

// NewSagaMetrics returns what counts decisions in a registry.
func NewSagaMetrics(registry *prometheus.Registry) (observe func(engine.Decided)) {
	return newSagaMetrics(registry).observe
}
