package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// ended is a decision with which a step succeeds and its saga ends.
func ended(definition, step string) engine.Decided {
	return engine.Decided{
		Definition: &saga.Definition{Name: definition}, After: &saga.Instance{CreatedAt: time.Unix(0, 0)},
		Entries: []saga.Entry{
			{Type: saga.EntryStarted}, {Type: saga.EntryStepSucceeded, Step: step}, {Type: saga.EntryCompleted, At: time.Unix(1, 0)},
		},
	}
}

// values returns the number of values of a label, and the sum of a counter.
func values(t *testing.T, registry *prometheus.Registry, name, label string) (different int, sum float64) {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	seen := make(map[string]bool)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			sum += metric.GetCounter().GetValue()
			for _, pair := range metric.GetLabel() {
				if pair.GetName() == label {
					seen[pair.GetValue()] = true
				}
			}
		}
	}
	return len(seen), sum
}

func TestManyDefinitionsAndStepsDoNotMakeManySeries(t *testing.T) {
	t.Parallel()
	t.Run("definitions", func(t *testing.T) {
		t.Parallel()
		registry := prometheus.NewRegistry()
		observe := server.NewSagaMetrics(registry)
		for range 2 {
			for i := range 10_000 {
				observe(ended(fmt.Sprint("definition-", i), "only"))
			}
		}
		for name, label := range map[string]string{
			"saga_started_total": "definition", "saga_finished_total": "definition", "saga_step_attempts_total": "definition",
		} {
			different, sum := values(t, registry, name, label)
			assert.Equal(t, 201, different, name)
			assert.InDelta(t, 20_000, sum, 0, "%s counts all", name)
		}
	})
	t.Run("versions with other steps", func(t *testing.T) {
		t.Parallel()
		registry := prometheus.NewRegistry()
		observe := server.NewSagaMetrics(registry)
		for i := range 5_000 {
			observe(ended("order", fmt.Sprint("step-", i)))
		}
		different, sum := values(t, registry, "saga_step_attempts_total", "step")
		assert.Equal(t, 2_001, different)
		assert.InDelta(t, 5_000, sum, 0)
		different, sum = values(t, registry, "saga_started_total", "definition")
		assert.Equal(t, 1, different)
		assert.InDelta(t, 5_000, sum, 0)
	})
}
