package operate

import (
	"context"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// costlyStarts takes in the starts that wait for their turn, beside the others, which must not wait for them.
type costlyStarts struct {
	Starts
	running sync.WaitGroup
	busy    sync.Mutex
	waiting int // starts that were given back since the last poll
}

// take takes in starts that wait for their turn, or gives them back if others are being taken in. It does not wait.
func (c *costlyStarts) take(ctx context.Context, starts []record.QueuedStart) {
	if len(starts) == 0 {
		return
	}
	if !c.busy.TryLock() {
		c.giveBack(ctx, starts)
		return
	}
	c.running.Go(func() {
		defer c.busy.Unlock()
		work, cancel := context.WithTimeout(ctx, costlyPatience)
		defer cancel()
		left := starts
		for again := true; again; again = len(left) > 0 && wait.For(work, betweenTurns) {
			var stored []record.QueuedStart
			stored, left = c.Starts.take(work, left)
			c.drop(ctx, stored)
		}
		c.returned(ctx, left, leastTurnPause)
	})
}

// giveBack gives starts back that have only waited. A claim counts as a failure otherwise, and each one lasts longer. The more there
// are, the longer they wait, because each is looked at again.
func (c *costlyStarts) giveBack(ctx context.Context, starts []record.QueuedStart) {
	c.waiting += len(starts)
	c.returned(ctx, starts, min(max(time.Duration(c.waiting)*turnPause, leastTurnPause), mostTurnPause))
}

func (c *costlyStarts) returned(ctx context.Context, starts []record.QueuedStart, pause time.Duration) {
	if len(starts) == 0 {
		return
	}
	returning, cancel := context.WithTimeout(context.WithoutCancel(ctx), startDropPatience)
	defer cancel()
	if err := c.Requests.ReturnStarts(returning, numbersOf(starts), pause); err != nil {
		c.Logger.WarnContext(ctx, "starts by SQL that wait for their turn are looked at again later", "error", err)
	}
}
