package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWakesWaitForRepliesAfterAnOutage(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	s := &storing{}
	s.fail(at(0))
	assert.False(t, s.repliesFirst(at(0)), "one failure does not count as an outage")
	s.fail(at(0.9))
	s.succeed(at(0.95))
	assert.False(t, s.repliesFirst(at(0.95)), "nor are failures of less than a second")
	s.fail(at(10))
	s.fail(at(11))
	assert.True(t, s.repliesFirst(at(11)))
	assert.True(t, s.mayProbe(at(11)))
	assert.False(t, s.mayProbe(at(11.04)))
	assert.True(t, s.mayProbe(at(11.05)))
	assert.True(t, s.repliesFirst(at(90)), "it lasts until a change is stored")
	s.succeed(at(91))
	assert.False(t, s.mayProbe(at(91)))
	assert.True(t, s.repliesFirst(at(93.9)))
	assert.False(t, s.repliesFirst(at(94)))
	assert.True(t, s.storedSince(at(90)))
	assert.False(t, s.storedSince(at(91)))
}

func TestOutagesThatFollowEachOtherHoldNoWakesForLong(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &storing{}
	held, longest := time.Duration(0), time.Duration(0)
	for i := range 600 { // a minute in which each second of failures is followed by one of successes
		now := began.Add(time.Duration(i) * 100 * time.Millisecond)
		if i%22 < 11 {
			s.fail(now)
		} else {
			s.succeed(now)
		}
		if held += 100 * time.Millisecond; !s.repliesFirst(now) {
			held = 0
		}
		longest = max(longest, held)
	}
	assert.LessOrEqual(t, longest, longestSeries+2*time.Second)
}
