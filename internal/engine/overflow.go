package engine

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	reasonOverflow = "maxlen"
	// overflowPause is about how long to wait before the second look at the outbox (Environment.Pause spreads it by a half). The
	// row of a confirmed command is deleted after forgetEvery (100ms). A command that was refused is not published again before
	// the first pause of the relay's gates (1s): later its row might be gone because it was accepted.
	overflowPause = 500 * time.Millisecond
)

// A full queue with `x-overflow: reject-publish-dlx` refuses a command (nack) and dead-letters the same message. The
// command is still in the outbox and is published again, so it is not lost (rule 3), and each probe of the queue would
// add another dead letter. A queue with `drop-head` dead-letters a command that it has confirmed: that one is lost.
// The messages look the same. Only the outbox knows the difference: it has no row of a confirmed command.

// lookTwice makes a request look at the outbox again before it concludes that the command was refused: the command may have been
// confirmed a moment ago, while its row still exists.
func (e *Engine) lookTwice(ctx context.Context, r *request, settle func(ok bool)) {
	if !r.lost.overflow {
		return
	}
	again := *r
	settled := r.done
	r.done = func(a answer) {
		if !a.inOutbox {
			settled(a)
			return
		}
		go func() { // ends after the second look, or with ctx
			if !e.config.Pause(ctx, overflowPause) || e.lane(again.sagaID).add(ctx, &again) != nil {
				settle(false)
			}
		}()
	}
}

// refusedByQueue reports whether a dead-lettered command is still in the outbox because the broker did not take it. Otherwise its
// message becomes a dead letter.
func (b *batchState) refusedByQueue(r *request) bool {
	lost, is := r.cause.(saga.Lost)
	if !is || r.lost == nil || !r.lost.overflow {
		return false
	}
	return b.loaded.Unpublished[r.sagaID][lost.Command.String()]
}
