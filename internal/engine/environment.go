package engine

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// Environment is what an engine uses for time and chance. Nil fields use the machine's; a simulation brings its own.
type Environment struct {
	Now   func() time.Time // the clock of this process; it only decides when to ask the store
	NewID func() string    // returns a ULID, for a saga or a dead letter
	// Pause waits for about that long before a retry. It returns false if ctx ended first.
	Pause func(ctx context.Context, about time.Duration) bool
	// Await waits for the answer to a caller. It returns false if ctx ended first.
	Await func(ctx context.Context, answered <-chan struct{}) bool
	// Within returns a context that ends after a time, as context.WithTimeout does.
	Within func(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc)
}

func (s Environment) withDefaults() Environment {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.NewID == nil {
		s.NewID = func() string { return ulid.Make().String() }
	}
	if s.Pause == nil {
		s.Pause = pause
	}
	if s.Await == nil {
		s.Await = await
	}
	if s.Within == nil {
		s.Within = context.WithTimeout
	}
	return s
}

func pause(ctx context.Context, about time.Duration) bool {
	return wait.For(ctx, about/2+rand.N(about)) //nolint:gosec // spreads retries, guards nothing
}

func await(ctx context.Context, answered <-chan struct{}) bool {
	select {
	case <-answered:
		return true
	case <-ctx.Done():
		return false
	}
}
