package saga

import (
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// exhausted reports whether the policy allows no attempt after the used-th attempt failed like this.
func (p *RetryPolicy) exhausted(used int, failure ReplyError) bool {
	return !failure.Retryable || used >= p.MaxAttempts || slices.Contains(p.NonRetryable, failure.Code)
}

// delay returns the wait after the failure of the used-th attempt. The jitter is a hash of the command's id, so it
// differs between sagas and steps but never between two computations.
func (p *RetryPolicy) delay(used int, failed CommandID) time.Duration {
	interval := float64(p.InitialInterval) * math.Pow(p.Multiplier, float64(used-1))
	interval = min(interval, float64(p.MaxInterval))
	interval = min(interval*(1+p.Jitter*spread(failed)), float64(p.MaxInterval)) // jitter never exceeds the longest wait
	return time.Duration(interval).Truncate(time.Microsecond)
}

// spread maps a command id to a number from -1 to 1. Ids of attempts differ only in their last characters, and FNV
// alone would map them to nearly the same number; the finalizer of MurmurHash3 spreads them.
func spread(id CommandID) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(id.String())) // a hash never fails to write
	mixed := hash.Sum64()
	mixed = (mixed ^ mixed>>33) * 0xff51afd7ed558ccd
	mixed = (mixed ^ mixed>>33) * 0xc4ceb9fe1a85ec53
	mixed ^= mixed >> 33
	const steps = 1 << 32
	return float64(mixed%steps)/(steps/2) - 1
}
