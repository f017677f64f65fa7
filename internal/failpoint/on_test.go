//go:build failpoints

package failpoint

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	points, err := parse("a=exit@3;b=error%0.25;c=sleep:20ms")
	require.NoError(t, err)
	require.Equal(t, "exit", points["a"].action)
	require.EqualValues(t, 3, points["a"].only)
	require.InDelta(t, 0.25, points["b"].probability, 0)
	require.Equal(t, 20*time.Millisecond, points["c"].pause)
	for _, wrong := range []string{"a", "a=exit@x", "a=error%x", "a=sleep:x"} {
		_, err := parse(wrong)
		require.Error(t, err, wrong)
	}
}

func TestAPointActsWhenItIsDue(t *testing.T) {
	t.Parallel()
	points, err := parse("third=error@3;always=error;never=error%0.0000001")
	require.NoError(t, err)
	var due []bool
	for range 4 {
		due = append(due, points["third"].due())
	}
	require.Equal(t, []bool{false, false, true, false}, due)
	require.True(t, points["always"].due())
	require.False(t, points["never"].due())
}
