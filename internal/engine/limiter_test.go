package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// A cause that recurs every second is logged at once, and then after silences that double.
func TestARecurringCauseIsLoggedAfterGrowingSilences(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	l := newLogLimiter(func() time.Time { return now })
	var lines []int
	skipped := 0
	for second := range 3600 {
		if n, due := l.allow("store"); due {
			lines = append(lines, second)
			skipped += n
		}
		now = now.Add(time.Second)
	}
	require.Equal(t, []int{0, 1, 3, 7, 15, 31, 63, 127, 255, 511}, lines[:10])
	require.Less(t, len(lines), 22, "once in five minutes at the end")
	require.Greater(t, skipped, 3000, "skipped lines are counted")
	_, due := l.allow("another cause")
	require.True(t, due)
	now = now.Add(time.Hour)
	_, due = l.allow("store")
	require.True(t, due, "after a long silence it counts as new")
	now = now.Add(time.Second)
	_, due = l.allow("store")
	require.True(t, due)
}

func TestTheCausesAreBounded(t *testing.T) {
	t.Parallel()
	l := newLogLimiter(time.Now)
	for i := range 3 * maxCauses {
		l.allow(fmt.Sprint(i))
	}
	require.LessOrEqual(t, len(l.causes), maxCauses)
}

// A defect of the core affects one saga, not the batch or the process.
func TestAPanicIsAnErrorOfItsSaga(t *testing.T) {
	t.Parallel()
	_, err := guarded(func() (saga.Decision, error) {
		var none *saga.Definition
		return none.Start(saga.Start{})
	})
	require.ErrorContains(t, err, "panic: runtime error")
}
