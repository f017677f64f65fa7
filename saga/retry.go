package saga

import (
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// exhausted says whether a policy allows no further attempt after this failure of the used-th attempt.
func (p *RetryPolicy) exhausted(used int, failure ReplyError) bool {
	return !failure.Retryable || used >= p.MaxAttempts || slices.Contains(p.NonRetryable, failure.Code)
}

// delay is the wait after the used-th attempt has failed. The jitter is drawn from a hash of the failed command's id,
// so it is spread over sagas and steps, and yet the same whenever it is computed.
func (p *RetryPolicy) delay(used int, failed CommandID) time.Duration {
	interval := float64(p.InitialInterval) * math.Pow(p.Multiplier, float64(used-1))
	interval = min(interval, float64(p.MaxInterval))
	interval = min(interval*(1+p.Jitter*spread(failed)), float64(p.MaxInterval)) // no jitter makes it longer than that
	return time.Duration(interval).Truncate(time.Microsecond)
}

// spread is a number from -1 to 1, fixed by the command's id. FNV alone would give ids that differ in their last
// characters, as attempts do, nearly the same number; the finalizer of MurmurHash3 spreads them.
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
