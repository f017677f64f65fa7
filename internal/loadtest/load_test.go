package loadtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// taking returns a saga that takes d.
func taking(d time.Duration) func(context.Context, int) error {
	return func(context.Context, int) error { time.Sleep(d); return nil }
}

func TestAClosedLoopKeepsAnExactNumberInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		inFlight, most, numbers := 0, 0, make(map[int]bool)
		outcome, err := Load{InFlight: 8, Duration: time.Second}.Drive(t.Context(), func(_ context.Context, n int) error {
			mu.Lock()
			inFlight++
			most = max(most, inFlight)
			assert.False(t, numbers[n], "every saga has a number of its own")
			numbers[n] = true
			mu.Unlock()
			time.Sleep(30 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			inFlight--
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 8, most)
		assert.Equal(t, 33*8, outcome.Sagas, "8 slots without idle time for a second")
		assert.Equal(t, 34*8, outcome.Latencies.Count(), "sagas under way at the end count, too")
		assert.Equal(t, 30*time.Millisecond, outcome.Latencies.Quantile(1))
		assert.Equal(t, 0, inFlight)
	})
}

func TestTheWarmUpIsNotMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var window []time.Duration
		record := func(context.Context) error { window = append(window, time.Since(began)); return nil }
		outcome, err := Load{InFlight: 1, Warmup: 2 * time.Second, Duration: time.Second, Begin: record, End: record}.
			Drive(t.Context(), func(context.Context, int) error {
				if time.Since(began) < 1500*time.Millisecond {
					time.Sleep(500 * time.Millisecond) // slow at first
				} else {
					time.Sleep(70 * time.Millisecond)
				}
				return nil
			})
		require.NoError(t, err)
		assert.Equal(t, []time.Duration{2 * time.Second, 3 * time.Second}, window, "meters cover the window alone")
		assert.InDelta(t, 1, outcome.Seconds(), 1e-9)
		assert.Equal(t, 14, outcome.Sagas)
		assert.Equal(t, 70*time.Millisecond, outcome.Latencies.Quantile(1))
	})
}

func TestAnOpenLoopCountsFromWhenASagaShouldHaveBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// The system stalls once, for a second. Meanwhile ten sagas should begin, and none can.
		outcome, err := Load{InFlight: 1, Rate: 10, Duration: 3 * time.Second}.Drive(t.Context(), func(_ context.Context, n int) error {
			if n == 5 {
				time.Sleep(1001 * time.Millisecond)
			}
			time.Sleep(time.Millisecond)
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 30, outcome.Latencies.Count())
		assert.Equal(t, 1002*time.Millisecond, outcome.Latencies.Quantile(1), "the saga that stalled")
		late := 0
		for _, latency := range outcome.Latencies.sorted {
			if latency > time.Millisecond {
				late++
			}
		}
		assert.Equal(t, 11, late, "the stalled saga and the ten behind it")
		assert.Zero(t, outcome.Missed)
	})
}

func TestAnOpenLoopDoesNotWaitForItsSagas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outcome, err := Load{Rate: 200, Duration: time.Second}.Drive(t.Context(), taking(2*time.Second))
		require.NoError(t, err)
		assert.Zero(t, outcome.Sagas, "none ended within the window")
		assert.Equal(t, 200, outcome.Latencies.Count(), "all are counted")
		assert.Equal(t, 2*time.Second, outcome.Latencies.Quantile(0.5))
	})
}

func TestAnOpenLoopCountsTheSagasThatNeverBegan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outcome, err := Load{InFlight: 2, Rate: 100, Duration: time.Second}.Drive(t.Context(), taking(95*time.Millisecond))
		require.NoError(t, err)
		assert.Equal(t, 100, outcome.Latencies.Count()+outcome.Missed)
		assert.Equal(t, 22, outcome.Latencies.Count(), "two at a time, eleven times")
	})
}

func TestAnOverloadedSystemStillHasLatencies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// The system completes one saga a second instead of ten: those that end in the window should have begun long before.
		outcome, err := Load{InFlight: 1, Rate: 10, Warmup: 100500 * time.Millisecond, Duration: 2 * time.Second}.
			Drive(t.Context(), taking(time.Second))
		require.NoError(t, err)
		assert.Equal(t, 2, outcome.Sagas)
		assert.Equal(t, []time.Duration{91000 * time.Millisecond, 91900 * time.Millisecond, 92800 * time.Millisecond}, outcome.Latencies.sorted)
	})
}

func TestAFailedSagaHasNoLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outcome, err := Load{InFlight: 1, Warmup: time.Second, Duration: time.Second}.Drive(t.Context(), func(_ context.Context, n int) error {
			time.Sleep(70 * time.Millisecond)
			if n == 2 || n == 20 {
				return errors.New("wrong end " + string(rune('a'+n)))
			}
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 2, outcome.Failed, "including one of the warm-up")
		assert.EqualError(t, outcome.Failure, "wrong end c")
		assert.Equal(t, 13, outcome.Sagas)
	})
}

func TestALoadWhoseSagasAllFailIsAborted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outcome, err := Load{Duration: time.Hour}.Drive(t.Context(), func(context.Context, int) error {
			time.Sleep(time.Millisecond)
			return errors.New("connection refused")
		})
		assert.ErrorIs(t, err, ErrHopeless)
		assert.ErrorContains(t, err, "connection refused")
		assert.GreaterOrEqual(t, outcome.Failed, tooManyFailed)
	})
}

func TestSagasThatDoNotEndAreAborted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		outcome, err := Load{InFlight: 3, Duration: time.Second, Patience: 5 * time.Second}.
			Drive(t.Context(), func(ctx context.Context, _ int) error { <-ctx.Done(); return context.Cause(ctx) })
		require.NoError(t, err)
		assert.Equal(t, 3, outcome.Failed)
		assert.Equal(t, 6*time.Second, time.Since(began))
	})
}

func TestALoadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 50} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(1500*time.Millisecond, cancel)
			outcome, err := Load{InFlight: 5, Rate: rate, Warmup: time.Second, Duration: time.Hour}.Drive(ctx, taking(90*time.Millisecond))
			assert.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, 25, outcome.Sagas, "the sagas until then")
		})
	}
}

func TestProgressIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var shown []int
		_, err := Load{
			InFlight: 1, Warmup: 150 * time.Millisecond, Duration: 100 * time.Millisecond,
			Progress: func(done int, _ time.Duration) { shown = append(shown, done) },
		}.Drive(t.Context(), taking(40*time.Millisecond))
		require.NoError(t, err)
		assert.Equal(t, []int{2, 3, 6}, shown[:3:3])
	})
}

func TestAFailingMeterEndsTheLoad(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]Load{
		"begin": {Begin: func(context.Context) error { return assert.AnError }},
		"end":   {End: func(context.Context) error { return assert.AnError }},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := load.Drive(t.Context(), taking(time.Millisecond))
			assert.ErrorIs(t, err, assert.AnError, name)
		})
	}
}
