package engine

import (
	"container/heap"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheGrowthOfABatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pace   pace
		events int
		waits  time.Duration
	}{
		"nothing is known":                       {pace{}, 0, 0},
		"commands take little time":              {pace{rate: 10_000, turnaround: 0.0029}, 0, 0},
		"few events arrive":                      {pace{rate: 200, turnaround: 1}, 0, 0},
		"a sixth of the time that commands take": {pace{rate: 4000, turnaround: 0.012}, 5 + 8, 2 * time.Millisecond},
		"at most eight milliseconds":             {pace{rate: 1000, turnaround: 60}, 5 + 8, longestGrowth},
		"at most the efficient size":             {pace{rate: 100_000, turnaround: 1}, efficientBatch, longestGrowth},
	} {
		events, waits := c.pace.growth(5)
		assert.Equal(t, c.events, events, name)
		assert.Equal(t, c.waits, waits, name)
	}
}

// load is a closed loop in virtual time: sagas whose commands wait for one of the workers, which handle one after the other.
type load struct {
	sagas, workers int
	handling       time.Duration // of a command, by a worker
	travel         time.Duration // of a command and its reply together
}

// arrival is a reply that reaches the lane.
type arrival struct {
	at    time.Duration
	since time.Duration // when its command was decided
}

type arrivals []arrival

func (a arrivals) Len() int           { return len(a) }
func (a arrivals) Less(i, j int) bool { return a[i].at < a[j].at }
func (a arrivals) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *arrivals) Push(x any)        { *a = append(*a, x.(arrival)) }
func (a *arrivals) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// step is one batch of a run.
type step struct {
	events   int
	patience time.Duration
}

// run lets a lane decide for two seconds of virtual time. A batch takes a millisecond, and 20 µs for each event.
func (l load) run(p *pace, grows bool) (steps []step, decided int) {
	const end = 2 * time.Second
	var coming arrivals
	for i := range l.sagas {
		heap.Push(&coming, arrival{at: time.Duration(i) * 50 * time.Microsecond})
	}
	start := time.Time{}.Add(time.Hour)
	free := make([]time.Duration, l.workers)
	now, next := time.Duration(0), 0
	for now < end {
		now = max(now, coming[0].at)
		var patience time.Duration
		if grows {
			waiting := 0
			for _, a := range coming {
				if a.at <= now {
					waiting++
				}
			}
			var wanted int
			wanted, patience = p.growth(waiting)
			until := now + patience
			for ; now < until && waiting < wanted; now += 10 * time.Microsecond {
				waiting = 0
				for _, a := range coming {
					if a.at <= now {
						waiting++
					}
				}
			}
		}
		var batch []arrival
		for len(coming) > 0 && coming[0].at <= now {
			batch = append(batch, heap.Pop(&coming).(arrival))
		}
		var turnarounds []time.Duration
		for _, a := range batch {
			if a.since > 0 {
				turnarounds = append(turnarounds, now-a.since)
			}
		}
		now += time.Millisecond + time.Duration(len(batch))*20*time.Microsecond
		p.decided(start.Add(now), len(batch), turnarounds)
		for range batch {
			worker := next % l.workers
			next++
			free[worker] = max(free[worker], now+l.travel/2) + l.handling
			heap.Push(&coming, arrival{at: free[worker] + l.travel/2, since: now})
		}
		steps, decided = append(steps, step{len(batch), patience}), decided+len(batch)
	}
	return steps, decided
}

// spread returns the mean of a figure and its standard deviation as a part of it, over the last half of the run.
func spread(steps []step, figure func(step) float64) (mean, deviation float64) {
	last := steps[len(steps)/2:]
	for _, s := range last {
		mean += figure(s) / float64(len(last))
	}
	for _, s := range last {
		deviation += (figure(s) - mean) * (figure(s) - mean) / float64(len(last))
	}
	return mean, math.Sqrt(deviation) / max(mean, 1e-9)
}

func patienceOf(s step) float64 { return s.patience.Seconds() }
func eventsOf(s step) float64   { return float64(s.events) }

func TestALoneSagaWaitsForNothing(t *testing.T) {
	t.Parallel()
	for _, sagas := range []int{1, 2, 4} {
		l := load{sagas: sagas, workers: 64, travel: 2 * time.Millisecond}
		_, without := l.run(&pace{}, false)
		steps, with := l.run(&pace{}, true)
		patience, _ := spread(steps, patienceOf)
		assert.Zero(t, patience, "%d sagas", sagas)
		assert.Equal(t, without, with, "%d sagas", sagas)
	}
}

// Workers that handle one command after the other send replies one by one. Batches then grow to an efficient size and stay
// there, and the growth costs the sagas little.
func TestBatchesGrowAndDoNotOscillate(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]load{
		"three workers one by one": {sagas: 256, workers: 3, handling: 2 * time.Millisecond, travel: 2 * time.Millisecond},
		"two for each queue":       {sagas: 256, workers: 6, handling: 2 * time.Millisecond, travel: 2 * time.Millisecond},
		"slow handlers":            {sagas: 256, workers: 256, handling: 50 * time.Millisecond, travel: 2 * time.Millisecond},
		"sixty-four sagas":         {sagas: 64, workers: 6, handling: 2 * time.Millisecond, travel: 2 * time.Millisecond},
	} {
		_, without := l.run(&pace{}, false)
		p := &pace{}
		steps, with := l.run(p, true)
		alone, _ := spread(func() []step { s, _ := l.run(&pace{}, false); return s }(), eventsOf)
		events, _ := spread(steps, eventsOf)
		patience, deviation := spread(steps, patienceOf)
		t.Logf("%s: %d events in batches of %.1f; %d in batches of %.1f, patience %.1f ms ± %.0f %%",
			name, without, alone, with, events, 1000*patience, 100*deviation)
		assert.Greater(t, events, min(2*alone, efficientBatch), name)
		assert.Less(t, deviation, 0.1, "%s: the patience does not oscillate", name)
		assert.Greater(t, float64(with), 0.83*float64(without), "%s: a sixth of the latency at most", name)
	}
}

// When the load changes, the pace follows within half a second.
func TestThePaceFollowsTheLoad(t *testing.T) {
	t.Parallel()
	p := &pace{}
	busy := load{sagas: 256, workers: 3, handling: 2 * time.Millisecond, travel: 2 * time.Millisecond}
	busy.run(p, true)
	steps, _ := load{sagas: 1, workers: 3, travel: 2 * time.Millisecond}.run(&pace{rate: p.rate, turnaround: p.turnaround}, true)
	waited := 0
	for _, s := range steps {
		if s.patience > 0 {
			waited++
		}
	}
	assert.Less(t, waited, 60, "events of a lone saga that waited")
}
