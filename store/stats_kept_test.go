package store

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// counter counts slowly. Each count finds one saga more.
type counter struct {
	kept

	counts  atomic.Int64
	took    time.Duration
	failure error
}

func counting(sagas int64, took time.Duration) *counter {
	c := &counter{took: took}
	c.count = func(ctx context.Context) (past, error) {
		begun := time.Now()
		select {
		case <-time.After(c.took):
		case <-ctx.Done():
			return past{}, ctx.Err()
		}
		if c.failure != nil {
			return past{}, c.failure
		}
		return past{sagas: sagas + c.counts.Add(1), begun: begun, took: time.Since(begun)}, nil
	}
	return c
}

func TestCallersShareACount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := counting(keptFrom, time.Second)
		leaving, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		_, _, err := c.get(leaving)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		for range 10 { // the count goes on without the caller who wanted it first
			go func() {
				found, small, err := c.get(t.Context())
				assert.NoError(t, err)
				assert.False(t, small)
				assert.Equal(t, int64(keptFrom+1), found.sagas)
			}()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, int64(1), c.counts.Load())
		c.close()
	})
}

// While callers ask, no one waits, a count is never older than the bound, and counting takes a small share of the time.
func TestAnOlderCountIsReplacedInTheBackground(t *testing.T) {
	t.Parallel()
	for _, took := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 3 * time.Second} {
		t.Run(took.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := counting(keptFrom, took)
				_, _, err := c.get(t.Context())
				require.NoError(t, err)
				asked := time.Now()
				for range 600 {
					before := time.Now()
					found, _, err := c.get(t.Context())
					require.NoError(t, err)
					assert.Zero(t, time.Since(before))
					assert.LessOrEqual(t, time.Since(found.begun), keptLife)
					time.Sleep(100 * time.Millisecond)
				}
				most := time.Since(asked)/min(keptRest, keptShare*took, 3*time.Second) + 2
				assert.LessOrEqual(t, c.counts.Load(), int64(most))
				assert.GreaterOrEqual(t, c.counts.Load(), int64(time.Since(asked)/keptLife))
				time.Sleep(keptLife + time.Second) // without callers
				before := c.counts.Load()
				found, _, err := c.get(t.Context())
				require.NoError(t, err)
				assert.Equal(t, keptFrom+before+1, found.sagas, "an old count is not shown")
				c.close()
			})
		})
	}
}

func TestFewSagasAreCountedByTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := counting(keptFrom-10, time.Millisecond)
		for range 3 {
			_, small, err := c.get(t.Context())
			require.NoError(t, err)
			assert.True(t, small)
		}
		c.put(past{sagas: keptFrom, begun: time.Now()})
		_, small, err := c.get(t.Context())
		require.NoError(t, err)
		assert.False(t, small)
		c.close()
	})
}

func TestACountThatFailsIsRepeatedForTheNextCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := counting(keptFrom, time.Millisecond)
		c.failure = errors.New("the database is away")
		_, _, err := c.get(t.Context())
		require.ErrorIs(t, err, c.failure)
		c.failure = nil
		_, _, err = c.get(t.Context())
		require.NoError(t, err)
		c.close()
	})
}

func TestClosingStopsACount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := counting(keptFrom, time.Hour)
		go c.get(t.Context()) //nolint:errcheck // of a store that closes
		synctest.Wait()
		c.close()
		_, _, err := c.get(t.Context())
		require.ErrorIs(t, err, errClosed)
	})
}

// With many sagas the unfinished ones are counted anew, the ended ones a little later.
func TestManyEndedSagasAreCountedSeldom(t *testing.T) {
	t.Parallel()
	s := filled(t, 2*keptFrom)
	sum := func(counts []record.Count, status saga.Status) (sagas int64) {
		for _, count := range counts {
			if count.Status == status {
				sagas += count.Sagas
			}
		}
		return sagas
	}
	before, err := s.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), before.CountedAt, time.Minute)
	s.kept.mutex.Lock()
	s.kept.last.took = time.Hour // so that no newer count is made before this one has reached its greatest age
	s.kept.mutex.Unlock()
	_, err = s.pool.Exec(t.Context(), `update sagas set status = 'completed', finished_at = now(), wake_at = null where status = 'running'`)
	require.NoError(t, err)
	now, err := s.Stats(t.Context(), nil)
	require.NoError(t, err)
	running := sum(before.Counts, saga.Running)
	assert.Positive(t, running)
	assert.Zero(t, sum(now.Counts, saga.Running))
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		after, err := s.Stats(context.Background(), nil)
		require.NoError(t, err)
		assert.Equal(t, sum(before.Counts, saga.Completed)+running, sum(after.Counts, saga.Completed))
		assert.True(t, after.CountedAt.After(before.CountedAt))
		assert.Equal(t, running, after.FinishedLastHour-before.FinishedLastHour)
	}, time.Minute, 100*time.Millisecond)
}
