package loadtest

import (
	"math"
	"slices"
	"time"
)

// Latencies holds one exact value per saga, eight bytes each. At the rates of one machine, a histogram would save little
// memory and would round the figures to be compared.
type Latencies struct{ sorted []time.Duration }

func newLatencies(unsorted []time.Duration) Latencies {
	sorted := slices.Clone(unsorted)
	slices.Sort(sorted)
	return Latencies{sorted: sorted}
}

// Count returns the number of latencies.
func (l Latencies) Count() int { return len(l.sorted) }

// Quantile returns the smallest latency that a share of the sagas, 0 to 1, did not exceed: 0.5 is the median, 1 the maximum.
// It returns 0 if there are no latencies.
func (l Latencies) Quantile(share float64) time.Duration {
	if len(l.sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(l.sorted)))) // nearest rank: the result is the latency of a real saga
	return l.sorted[min(max(rank, 1), len(l.sorted))-1]
}
