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

// backoff counts failures in a row and spaces the tries. The zero value is ready.
type backoff struct{ failures int }

// next doubles with every failure, and draws from the upper half so that many clients do not come at once.
func (b *backoff) next() time.Duration {
	wait := longestWait
	if b.failures < 6 {
		wait = min(longestWait, shortestWait<<b.failures)
	}
	b.failures++
	return wait/2 + rand.N(wait/2)
}

func (b *backoff) reset() { b.failures = 0 }

// newsworthy reports whether the failure that comes now is worth a line in the log: the first one, and whenever the
// failures in a row have doubled.
func (b *backoff) newsworthy() bool { return bits.OnesCount(uint(b.failures+1)) == 1 } //nolint:gosec // a count

// wait waits for the next try. It reports false when ctx has ended.
func (b *backoff) wait(ctx context.Context) bool { return wait.For(ctx, b.next()) }
