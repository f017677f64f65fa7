package operate

import (
	"context"
	"log/slog"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// MaxDeadLetters is the number of dead letters that are kept. Older ones are deleted.
const MaxDeadLetters = 100_000

// expiryChunk is the number of dead letters that one statement deletes.
const expiryChunk = 500

// OldLetters deletes old dead letters.
type OldLetters interface {
	// ExpireDeadLetters deletes dead letters that are older than age, or beyond the keep newest, up to limit for each. An
	// age of 0 expires none.
	ExpireDeadLetters(ctx context.Context, age time.Duration, keep, limit int) (deleted int, err error)
}

// Expiry deletes dead letters by age and number, in small batches. Letters is required.
type Expiry struct {
	Letters OldLetters
	Age     time.Duration // 0: they do not expire by age
	Keep    int           // 0: MaxDeadLetters
	Every   time.Duration // between two looks; 0: 1 min
	Logger  *slog.Logger  // nil: no log
}

// Run deletes dead letters until ctx ends.
func (e Expiry) Run(ctx context.Context) {
	if e.Keep == 0 {
		e.Keep = MaxDeadLetters
	}
	if e.Every == 0 {
		e.Every = time.Minute
	}
	if e.Logger == nil {
		e.Logger = slog.New(slog.DiscardHandler)
	}
	for wait.For(ctx, e.Every) {
		total := 0
		for {
			deleted, err := e.Letters.ExpireDeadLetters(ctx, e.Age, e.Keep, expiryChunk)
			if err != nil && ctx.Err() == nil {
				e.Logger.Warn("old dead letters were not deleted", "error", err)
			}
			if total += deleted; err != nil || deleted < expiryChunk {
				break
			}
		}
		if total > 0 {
			e.Logger.Info("deleted old dead letters", "count", total, "older_than", e.Age, "beyond", e.Keep)
		}
	}
}
