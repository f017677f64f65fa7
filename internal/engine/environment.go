package engine

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// Surroundings are where an engine meets time and chance. What is nil is the machine's own; a simulation brings its own.
type Environment struct {
	Now   func() time.Time // this process's clock, which decides nothing: it only says when to ask the store
	NewID func() string    // of sagas and dead letters: ULIDs
	// Pause waits for about that long before something is tried again, and is false when ctx ended.
	Pause func(ctx context.Context, about time.Duration) bool
	// Await lets a caller wait for its answer, and is false when ctx ended first.
	Await func(ctx context.Context, answered <-chan struct{}) bool
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
