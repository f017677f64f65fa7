package modelcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/modelcheck"
)

func TestShapesAreCompleteAndDistinct(t *testing.T) {
	t.Parallel()
	// Counted by hand: a single step is plain, compensatable, a pivot, or retriable. Two steps are parallel in 4 ways
	// and in sequence in 8. Three steps have 5 orders, with 5, 8, 10, 9 and 16 shapes.
	counts := []int{}
	for n := 1; n <= 4; n++ {
		shapes, err := modelcheck.Shapes(n, modelcheck.Options{Attempts: 1, Compensations: 1})
		require.NoError(t, err)
		counts = append(counts, len(shapes))
	}
	require.Equal(t, []int{4, 12, 48, 256}, counts)
}

func TestSpecialShapesAreCompleteAndDistinct(t *testing.T) {
	t.Parallel()
	// Counted by hand for one step: six kinds of special steps, each plain, compensatable, a pivot, or retriable, without
	// the compensation of a child, which is built in.
	counts := []int{}
	for n := 1; n <= 3; n++ {
		shapes, err := modelcheck.Shapes(n, modelcheck.Options{Attempts: 1, Compensations: 1, Special: true})
		require.NoError(t, err)
		counts = append(counts, len(shapes))
	}
	require.Equal(t, []int{23, 119, 690}, counts)
}
