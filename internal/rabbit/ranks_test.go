package rabbit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAConsumerThatGaveAMessageBackIsTheLastToGetOneForAWhile(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r, other := newRanks(), newRanks()
	own := r.priority(now)
	assert.NotEqual(t, own, other.priority(now))
	assert.Greater(t, own, int32(lowestPriority))
	assert.False(t, r.yields(false, own))
	assert.True(t, r.yields(true, own))
	r.yield(now)
	assert.EqualValues(t, lowestPriority, r.priority(now.Add(yieldTime-1)))
	assert.False(t, r.yields(true, lowestPriority), "it subscribes again once, not with each message")
	assert.Equal(t, own, r.priority(now.Add(yieldTime)))

	var none *ranks
	assert.Zero(t, none.priority(now))
	assert.False(t, none.yields(true, 0))
}
