package loadtest

import (
	"math"
	"slices"
	"time"
)

// Latencies are exact: one value per saga, eight bytes each. At the rates that one machine reaches, a histogram would
// save little and round what is to be compared.
type Latencies struct{ sorted []time.Duration }

func newLatencies(unsorted []time.Duration) Latencies {
	sorted := slices.Clone(unsorted)
	slices.Sort(sorted)
	return Latencies{sorted: sorted}
}

// Count is how many there are.
func (l Latencies) Count() int { return len(l.sorted) }

// Quantile is the least latency that a share of the sagas, 0 to 1, did not exceed: 0.5 is the median, 1 the greatest. 0
// where there are none.
func (l Latencies) Quantile(share float64) time.Duration {
	if len(l.sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(l.sorted)))) // nearest rank: a latency that some saga really had
	return l.sorted[min(max(rank, 1), len(l.sorted))-1]
}
