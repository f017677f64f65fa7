package rabbit

import (
	"math/rand/v2"
	"time"
)

// ranks chooses the priority of a consumer. It is the consumer's own, drawn at random, and the lowest for a while after the consumer
// has given a message back: the broker would deliver it to the same one again, as long as that takes more.
type ranks struct {
	own      int32
	lowUntil time.Time
}

const (
	lowestPriority = 1 // above that of consumers without one, which are of older versions
	yieldTime      = 5 * time.Minute
)

func newRanks() *ranks {
	return &ranks{own: lowestPriority + 1 + rand.Int32N(1<<30)} //nolint:gosec // guards nothing
}

// priority returns that of the next subscription; 0: none.
func (r *ranks) priority(now time.Time) int32 {
	switch {
	case r == nil:
		return 0
	case now.Before(r.lowUntil):
		return lowestPriority
	default:
		return r.own
	}
}

// yields reports whether a subscription of that priority ends because it has given a message back.
func (r *ranks) yields(givenBack bool, priority int32) bool {
	return r != nil && givenBack && priority > lowestPriority
}

func (r *ranks) yield(now time.Time) { r.lowUntil = now.Add(yieldTime) }
