package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// After a large batch the lane waits a moment for as many events again; after a small one it does not.
func TestABusyLaneLetsTheNextBatchGrow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		last, waiting, coming int
		waits                 time.Duration
	}{
		"the lane was idle":          {0, 1, 0, 0},
		"the last batch was small":   {busyBatch - 1, 3, 0, 0},
		"no event waits":             {busyBatch, 0, 0, 0},
		"twice as many wait":         {busyBatch, 2 * busyBatch, 0, 0},
		"as many as fit in a batch":  {60, 64, 0, 0},
		"few wait and none arrives":  {busyBatch, 1, 0, gatherFor},
		"few wait and some arrive":   {busyBatch, 1, busyBatch, gatherFor},
		"few wait and enough arrive": {busyBatch, 1, 2*busyBatch - 1, gatherFor / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLane(&Engine{config: Config{BatchSize: 64, LaneCapacity: 256}})
				l.last = c.last
				add(t, l, c.waiting)
				go func() {
					time.Sleep(gatherFor / 2)
					add(t, l, c.coming)
				}()
				began := time.Now()
				l.gather(t.Context())
				assert.Equal(t, c.waits, time.Since(began))
				synctest.Wait()
				time.Sleep(gatherFor)
			})
		})
	}
}

func add(t *testing.T, l *lane, events int) {
	t.Helper()
	for range events {
		assert.NoError(t, l.add(t.Context(), &request{}))
	}
}
