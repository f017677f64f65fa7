package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// What comes after a large batch waits a moment for as much again; what comes after a small one, or alone, does not.
func TestALaneWithALotToDoLetsTheNextBatchGrow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		last, waiting, coming int
		waits                 time.Duration
	}{
		"nothing was decided just now":  {0, 1, 0, 0},
		"the last batch was small":      {busyBatch - 1, 3, 0, 0},
		"nothing waits":                 {busyBatch, 0, 0, 0},
		"twice as many wait":            {busyBatch, 2 * busyBatch, 0, 0},
		"as many as fit in a batch":     {60, 64, 0, 0},
		"few wait and nothing comes":    {busyBatch, 1, 0, gatherFor},
		"few wait and some come":        {busyBatch, 1, busyBatch, gatherFor},
		"few wait and twice as many do": {busyBatch, 1, 2*busyBatch - 1, gatherFor / 2},
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
