package rabbit

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// In whatever order deliveries are settled and taken, the broker gets each verdict exactly once, and none for an
// unsettled delivery.
func TestTheBrokerGetsTheVerdictOfEveryDelivery(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 30).Draw(t, "count")
		order := rapid.Permutation(sequence(count)).Draw(t, "order")
		l := newLedger(newReadLimits())
		l.hand(uint64(count))
		said, heard := make(map[uint64]verdict), make(map[uint64]verdict)
		for _, tag := range order {
			said[tag] = rapid.SampledFrom([]verdict{ack, requeue, reject}).Draw(t, "verdict")
			l.settle(tag, said[tag], 0)
			l.settle(tag, reject, 0) // only the first verdict counts
			if rapid.Bool().Draw(t, "take") {
				hear(t, l.take(), heard, said)
			}
			_, unsettled := l.count()
			assert.Equal(t, count-len(said), unsettled)
		}
		hear(t, l.take(), heard, said)
		assert.Equal(t, said, heard)
		l.close()
		l.settle(1, ack, 0)
		assert.Equal(t, orders{}, l.take())
	})
}

// hear applies orders as the broker does.
func hear(t *rapid.T, o orders, heard, said map[uint64]verdict) {
	for _, one := range o.single {
		assert.NotContains(t, heard, one.tag)
		heard[one.tag] = one.verdict
	}
	if o.upTo > 0 {
		assert.NotContains(t, heard, o.upTo, "the broker refuses an already settled tag")
	}
	for tag := uint64(1); tag <= o.upTo; tag++ {
		assert.Contains(t, said, tag, "not settled")
		if _, done := heard[tag]; !done {
			heard[tag] = ack
		}
	}
}

func sequence(count int) []uint64 {
	tags := make([]uint64, count)
	for i := range tags {
		tags[i] = uint64(i + 1)
	}
	return tags
}

// Acknowledgements wait for others; requeues and rejects do not.
func TestAcknowledgementsWaitForOthers(t *testing.T) {
	t.Parallel()
	l := newLedger(newReadLimits())
	l.hand(10)
	assert.False(t, l.pressing(2), "no settlement is due")
	l.settle(3, ack, 0)
	assert.False(t, l.pressing(2), "one may wait")
	l.settle(1, ack, 0)
	assert.True(t, l.pressing(2), "enough are due")
	l.take()
	assert.False(t, l.pressing(2), "the broker was told")
	l.settle(5, requeue, 0)
	assert.True(t, l.pressing(2), "another consumer may be waiting for the message")
	l.take()
	l.settle(6, reject, 0)
	assert.True(t, l.pressing(2), "an operator may be waiting for the dead letter")
}
