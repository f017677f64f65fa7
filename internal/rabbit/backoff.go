package rabbit

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	shortestWait = 100 * time.Millisecond
	longestWait  = 5 * time.Second
)

// backoff counts consecutive failures and spaces the retries. The zero value is ready.
type backoff struct{ failures int }

// next doubles with every failure. It is random within the upper half, so that many clients do not retry together.
func (b *backoff) next() time.Duration {
	wait := longestWait
	if b.failures < 6 {
		wait = min(longestWait, shortestWait<<b.failures)
	}
	b.failures++
	return wait/2 + rand.N(wait/2) //nolint:gosec // jitter is not a secret
}

func (b *backoff) reset() { b.failures = 0 }

// newsworthy reports whether the current failure should be logged: the first one, and whenever the number of
// consecutive failures has doubled.
func (b *backoff) newsworthy() bool { return bits.OnesCount(uint(b.failures+1)) == 1 }

// wait waits for the next retry. It reports false if ctx ends first.
func (b *backoff) wait(ctx context.Context) bool { return wait.For(ctx, b.next()) }
