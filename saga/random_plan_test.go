package saga_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const mostRandomSteps = 12

// randomPlan draws any definition that the rules allow: a DAG of up to twelve steps, with a pivot anywhere or nowhere.
func randomPlan(t *rapid.T) *saga.Definition {
	count := rapid.IntRange(1, mostRandomSteps).Draw(t, "steps")
	pivot := rapid.IntRange(-2, count-1).Draw(t, "pivot") // -1: none, -2: none and forward only
	plan := saga.New("random")
	if rapid.IntRange(0, 3).Draw(t, "has a deadline") == 3 {
		plan.Deadline(rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second, time.Hour}).Draw(t, "deadline"))
	}
	after := randomOrder(t, count, pivot)
	for i := range count {
		options := append(randomPolicies(t), saga.After(after[i]...), saga.OnQueue("q"))
		switch {
		case i == pivot:
			plan.Pivot(stepName(i), "q.do", options...)
		case pivot == -2 || pivot >= 0 && i > pivot:
			plan.Retriable(stepName(i), "q.do", options...)
		default:
			if rapid.IntRange(0, 3).Draw(t, "is undone") < 3 {
				options = append(options, saga.CompensatedBy("q.undo"))
			}
			plan.Step(stepName(i), "q.do", options...)
		}
	}
	definition, err := plan.Build()
	require.NoError(t, err, "the plan should be one that the rules allow")
	return definition
}

func stepName(i int) string { return fmt.Sprintf("s%d", i) }

// randomOrder draws what each step comes after: some of the steps before it. Around a pivot there is no way past it.
func randomOrder(t *rapid.T, count, pivot int) [][]string {
	after := make([][]string, count)
	open := make(map[string]bool) // steps that nothing comes after yet
	for i := range count {
		after[i] = []string{}
		for j := range i {
			if rapid.IntRange(0, 2).Draw(t, "comes after") == 0 && (pivot < 0 || i < pivot || j >= pivot) {
				after[i] = append(after[i], stepName(j))
			}
		}
		switch {
		case pivot >= 0 && i == pivot:
			after[i] = after[i][:0]
			for j := range i {
				if open[stepName(j)] {
					after[i] = append(after[i], stepName(j))
				}
			}
		case pivot >= 0 && i > pivot && len(after[i]) == 0:
			after[i] = []string{stepName(pivot)}
		}
		for _, name := range after[i] {
			delete(open, name)
		}
		open[stepName(i)] = true
	}
	return after
}

func randomPolicies(t *rapid.T) []saga.StepOption {
	timeout := rapid.SampledFrom([]time.Duration{30 * time.Second, time.Second, 100 * time.Millisecond})
	return []saga.StepOption{
		saga.Timeout(timeout.Draw(t, "timeout")), saga.CompensationTimeout(timeout.Draw(t, "compensation timeout")),
		saga.Retry(randomPolicy(t)...), saga.CompensationRetry(randomPolicy(t)...),
	}
}

func randomPolicy(t *rapid.T) []saga.RetryOption {
	initial := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second}).Draw(t, "initial interval")
	policy := []saga.RetryOption{
		saga.Attempts(rapid.IntRange(1, 3).Draw(t, "attempts")),
		saga.Backoff(initial, rapid.SampledFrom([]float64{1, 1.5, 100}).Draw(t, "multiplier"), initial*time.Duration(rapid.IntRange(1, 60).Draw(t, "limit"))),
		saga.Jitter(rapid.SampledFrom([]float64{0, 0.2, 1}).Draw(t, "jitter")),
	}
	if rapid.Bool().Draw(t, "has final codes") {
		policy = append(policy, saga.NonRetryable("declined"))
	}
	return policy
}

// needsUndo says whether a step's effect must not be left when the saga is compensated.
func needsUndo(plan *saga.Definition, i int) bool {
	return plan.Steps[i].Compensation != "" || plan.Steps[i].Kind == saga.Pivot
}

func position(plan *saga.Definition, name string) int {
	return slices.IndexFunc(plan.Steps, func(s saga.Step) bool { return s.Name == name })
}
