package modelcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/modelcheck"
)

func TestShapesAreAllThatDiffer(t *testing.T) {
	t.Parallel()
	// By hand: one step is plain, can be undone, is a pivot, or retriable. Two steps stand beside each other in 4 ways
	// and in a row in 8; three steps make 5 orders with 5, 8, 10, 9 and 16.
	counts := []int{}
	for n := 1; n <= 4; n++ {
		shapes, err := modelcheck.Shapes(n, modelcheck.Options{Attempts: 1, Undoing: 1})
		require.NoError(t, err)
		counts = append(counts, len(shapes))
	}
	require.Equal(t, []int{4, 12, 48, 256}, counts)
}
