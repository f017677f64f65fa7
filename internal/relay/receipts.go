package relay

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// publish publishes one batch and sorts out its receipts. since is when its first command was handed over; zero means
// that the commands have waited in the table.
func (r *Relay) publish(ctx context.Context, commands []wire.Command, since time.Time) {
	failpoint.Reach("relay/publishing")
	receipts := r.config.Publisher.Publish(ctx, commands)
	failpoint.Reach("relay/confirmed")
	r.config.Sent(len(commands))
	took := r.config.Now().Sub(since) // for ever, when they have waited in the table
	var returned []wire.Command
	var reasons []string
	unconfirmed := 0
	for i, receipt := range receipts {
		switch receipt.Outcome {
		case wire.Confirmed:
			r.confirm(ctx, commands[i].ID, took > max(promptly, commands[i].Timeout/20))
		case wire.Returned:
			returned, reasons = append(returned, commands[i]), append(reasons, receipt.Reason)
		default:
			// Nothing is known of it. Its lease runs out, and it is claimed and published again.
			unconfirmed++
		}
	}
	if unconfirmed > 0 && ctx.Err() == nil {
		r.config.Logger.Warn("commands were not confirmed, they will be published again", "commands", unconfirmed)
	}
	if len(returned) > 0 {
		r.comeBack(ctx, returned, reasons)
	}
}

// confirm lets a row be forgotten; where the command has waited, only after the saga knows that its time runs from now.
func (r *Relay) confirm(ctx context.Context, id saga.CommandID, waited bool) {
	r.returns.forget(id)
	if waited {
		r.config.Published(ctx, id, func() { r.ReturnConfirmed([]saga.CommandID{id}) })
		return
	}
	r.ReturnConfirmed([]saga.CommandID{id})
}

// comeBack notes commands for which there is no queue, and has queues declared that stay missing: another process may
// have registered the definition, or somebody deleted the queue.
func (r *Relay) comeBack(ctx context.Context, commands []wire.Command, reasons []string) {
	marks := make([]record.Returned, len(commands))
	var missing []string
	for i := range commands {
		wait, missingFor := r.returns.add(commands[i].ID)
		marks[i] = record.Returned{Command: commands[i].ID, Reason: reasons[i], RetryAfter: wait}
		if missingFor >= redeclareAfter && !slices.Contains(missing, commands[i].Queue) {
			missing = append(missing, commands[i].Queue)
		}
	}
	r.config.Logger.Warn("commands came back: there is no queue for them", "commands", len(commands),
		"queue", commands[0].Queue, "reason", reasons[0])
	if err := r.config.Rows.MarkReturned(ctx, marks); err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("returned commands were not marked", "error", err)
	}
	if len(missing) == 0 {
		return
	}
	if err := r.config.Publisher.DeclareQueues(ctx, missing); err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("missing queues were not declared", "queues", missing, "error", err)
	}
}

// returns remembers since when, and how often, commands have come back.
type returns struct {
	clock func() time.Time

	mu    sync.Mutex
	known map[saga.CommandID]returnedCommand
}

type returnedCommand struct {
	first time.Time
	times int
}

func newReturns(clock func() time.Time) *returns {
	return &returns{clock: clock, known: make(map[saga.CommandID]returnedCommand)}
}

// add says how long to wait before the command is published again, and since when it has been coming back.
func (r *returns) add(id saga.CommandID) (wait, since time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry, known := r.known[id]
	if !known {
		entry.first = r.clock()
	}
	wait = min(firstReturnWait<<min(entry.times, 10), maxReturnWait)
	entry.times++
	r.known[id] = entry
	return wait, r.clock().Sub(entry.first)
}

func (r *returns) forget(id saga.CommandID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, id)
}
