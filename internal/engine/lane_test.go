package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// A batch grows until as many events wait as its pace expects, or the patience is over.
func TestABatchGrowsAtThePaceOfItsLane(t *testing.T) {
	t.Parallel()
	busy := pace{rate: 2000, turnaround: 1} // 16 events in 8 ms
	for name, c := range map[string]struct {
		pace            pace
		waiting, coming int
		waits           time.Duration
	}{
		"the pace expects nothing":   {pace{}, 1, 0, 0},
		"no event waits":             {busy, 0, 0, 0},
		"a batch waits":              {busy, 64, 0, 0},
		"few wait and none arrives":  {busy, 1, 0, longestGrowth},
		"few wait and some arrive":   {busy, 1, 15, longestGrowth},
		"few wait and enough arrive": {busy, 1, 16, longestGrowth / 2},
		"many wait, a batch is full": {pace{rate: 20_000, turnaround: 1}, 30, 2, longestGrowth / 2},
		"an efficient batch waits":   {busy, efficientBatch, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLane(&Engine{config: Config{BatchSize: 64, LaneCapacity: 256}})
				l.pace = c.pace
				add(t, l, c.waiting)
				go func() {
					time.Sleep(longestGrowth / 2)
					add(t, l, c.coming)
				}()
				began := time.Now()
				l.gather(t.Context())
				assert.Equal(t, c.waits, time.Since(began))
				synctest.Wait()
				time.Sleep(longestGrowth)
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
