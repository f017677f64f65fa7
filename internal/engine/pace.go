package engine

import (
	"math"
	"time"
)

const (
	// growthShare is the part of a command's time for which a batch may grow: growing adds at most a sixth to a saga's
	// latency.
	growthShare    = 6
	longestGrowth  = 8 * time.Millisecond
	shortestGrowth = 500 * time.Microsecond // a shorter wait costs more than it saves
	leastGrowth    = 2                      // events to expect, or the batch does not wait
	// efficientBatch is the number of events from which a batch does not wait: more of them save little, and the processors
	// would be idle while a lane that has work waits.
	efficientBatch = 32

	// paceMemory is the time after which an old rate counts a third.
	paceMemory = 100 * time.Millisecond
	// paceSamples is the number of commands after which an old time counts a half.
	paceSamples = 32
)

// pace decides how long a batch may grow, from the rate at which events arrive and the time that commands take. A batch of
// twice the size costs little more, so it waits where many events arrive; but a saga must not wait in vain. A lone saga
// brings its next event only after the last was decided: its commands take little time, so its events do not wait.
type pace struct {
	rate       float64   // events per second
	turnaround float64   // seconds from a decision about a saga to the reply to its command
	seen       time.Time // when the rate was last updated
}

// decided records a batch. turnarounds are the times of the commands that were answered in it.
func (p *pace) decided(now time.Time, events int, turnarounds []time.Duration) {
	if elapsed := now.Sub(p.seen); elapsed > 0 {
		p.rate += (1 - math.Exp(-float64(elapsed)/float64(paceMemory))) * (float64(events)/elapsed.Seconds() - p.rate)
		p.seen = now
	}
	if len(turnarounds) == 0 {
		return
	}
	sum := 0.0
	for _, t := range turnarounds { // slow commands must not slow fast ones down
		sum += min(t, growthShare*longestGrowth).Seconds()
	}
	n := float64(len(turnarounds))
	p.turnaround += n / (n + paceSamples) * (sum/n - p.turnaround)
}

// growth returns the number of events to wait for and the longest time to wait. Both are 0 if the batch must not wait.
func (p *pace) growth(waiting int) (events int, patience time.Duration) {
	patience = min(time.Duration(p.turnaround/growthShare*float64(time.Second)), longestGrowth)
	expected := int(p.rate * patience.Seconds())
	if patience < shortestGrowth || expected < leastGrowth || waiting >= efficientBatch {
		return 0, 0
	}
	return min(waiting+expected, efficientBatch), patience
}
