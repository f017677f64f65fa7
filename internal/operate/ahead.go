package operate

import (
	"context"
	"log/slog"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// aheadLook is the time between two looks for waits that lie too far ahead.
const aheadLook = 10 * time.Second

// restFor is how many times as long as a look the database rests after it: a look may read what operators hold back.
const restFor = 20

// Waits makes due what waits for longer than it can: the clock of the database was set back.
type Waits interface {
	EndWaitsAhead(ctx context.Context) error
}

// EndWaitsAhead looks for such waits until ctx ends.
func EndWaitsAhead(ctx context.Context, waits Waits, log *slog.Logger) {
	for pause := aheadLook; wait.For(ctx, pause); {
		begun := time.Now()
		if err := waits.EndWaitsAhead(ctx); err != nil && ctx.Err() == nil {
			log.Debug("waits that lie too far ahead were not looked for", "error", err)
		}
		pause = max(aheadLook, restFor*time.Since(begun))
	}
}
