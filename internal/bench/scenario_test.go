package bench

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestTheOrderSagaHasItsPivotLast(t *testing.T) {
	t.Parallel()
	definition := Scenario{Steps: 3}.definition()
	var kinds []saga.Kind
	for _, step := range definition.Steps {
		kinds = append(kinds, step.Kind)
	}
	assert.Equal(t, []saga.Kind{saga.Compensatable, saga.Compensatable, saga.Pivot}, kinds)
	assert.Equal(t, []string{"inventory-1"}, definition.Steps[1].After)
	assert.ElementsMatch(t, queues(), definition.Queues())
}

func TestServicesTakeTurnsInTheSteps(t *testing.T) {
	t.Parallel()
	for _, steps := range []int{1, 4, 100} {
		definition := Scenario{Steps: steps}.definition()
		assert.Len(t, definition.Steps, steps)
		assert.Equal(t, saga.Pivot, definition.Steps[steps-1].Kind)
	}
	parallel := Scenario{Steps: 4, Parallel: true}.definition()
	for _, step := range parallel.Steps {
		assert.Empty(t, step.After)
		assert.Equal(t, saga.Compensatable, step.Kind, "a pivot cannot run in parallel")
		assert.NotEmpty(t, step.Compensation)
	}
}

func TestTheQueuesAreNotThoseOfRealWorkers(t *testing.T) {
	t.Parallel()
	for _, queue := range queues() {
		assert.Contains(t, queue, "bench-")
	}
}

func TestFailingSagasAreSpreadEvenly(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 0.1, 0.25, 1. / 3, 0.5, 0.9, 1} {
		failed := 0
		for n := range 1000 {
			if (Scenario{FailRate: rate}).fails(n) {
				failed++
			}
			assert.InDelta(t, rate*float64(n+1), failed, 1, "of the first %d", n+1)
		}
	}
}

func TestTheLastStepOfAFailingSagaFails(t *testing.T) {
	t.Parallel()
	succeeds, fails, err := Scenario{Steps: 4, Payload: 5}.starts()
	require.NoError(t, err)
	assert.JSONEq(t, `{"definition":"bench","data":{"simulate":{},"payload":["xxxxx"]}}`, string(succeeds.body))
	assert.JSONEq(t, `{"definition":"bench","data":{"simulate":{"inventory-4":"declined"},"payload":["xxxxx"]}}`, string(fails.body))
	assert.Equal(t, []saga.Status{saga.Completed, saga.Compensated}, []saga.Status{succeeds.end, fails.end})
	assert.True(t, json.Valid(fails.body))
}

func TestTheVariantDescribesTheLoad(t *testing.T) {
	t.Parallel()
	for variant, scenario := range map[string]Scenario{
		"A": {Steps: 3}, "B": {Steps: 3, FailRate: 1}, "fails 0.25, 5 steps": {Steps: 5, FailRate: 0.25},
		"A, 3 steps in parallel, 10 bytes": {Steps: 3, Parallel: true, Payload: 10},
	} {
		assert.Equal(t, variant, scenario.variant())
	}
}

func TestInvalidScenarios(t *testing.T) {
	t.Parallel()
	for _, scenario := range []Scenario{
		{},
		{Steps: 101},
		{Steps: 1, FailRate: -0.1},
		{Steps: 1, FailRate: 1.1},
		{Steps: 1, FailRate: math.NaN()},
		{Steps: 1, Payload: -1},
		{Steps: 1, Payload: 1 << 20},
	} {
		assert.Error(t, scenario.Validate(), "%+v", scenario)
	}
	assert.NoError(t, Scenario{Steps: 100, FailRate: 1, Payload: maxPayload}.Validate())
}
