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
			r.confirm(ctx, &commands[i], took > max(promptly, commands[i].Timeout/20))
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
func (r *Relay) confirm(ctx context.Context, command *wire.Command, waited bool) {
	if r.returns.forget(command.Queue) {
		r.note(ctx, record.QueueProblem{Queue: command.Queue})
	}
	id := command.ID
	if waited {
		r.config.Published(ctx, id, func() { r.ReturnConfirmed([]saga.CommandID{id}) })
		return
	}
	r.ReturnConfirmed([]saga.CommandID{id})
}

// comeBack notes queues that are missing, and has those declared that stay missing: another process may have registered
// the definition, or somebody deleted the queue.
func (r *Relay) comeBack(ctx context.Context, commands []wire.Command, reasons []string) {
	ids := make([]saga.CommandID, len(commands))
	var problems []record.QueueProblem
	var missing []string
	seen := make(map[string]bool)
	for i := range commands {
		queue := commands[i].Queue
		ids[i] = commands[i].ID
		if seen[queue] {
			continue
		}
		seen[queue] = true
		entry := r.returns.add(queue)
		problems = append(problems, record.QueueProblem{
			Queue: queue, Kind: record.QueueMissing, Reason: reasons[i], Since: entry.first, RetryAt: entry.retryAt,
		})
		if r.config.Now().Sub(entry.first) >= redeclareAfter {
			missing = append(missing, queue)
		}
	}
	r.config.Logger.Warn("commands came back: there is no queue for them", "commands", len(commands),
		"queue", commands[0].Queue, "reason", reasons[0])
	r.note(ctx, problems...)
	if err := r.config.Rows.ReleaseOutbox(ctx, ids); err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("returned commands were not released", "error", err)
	}
	if len(missing) == 0 {
		return
	}
	if err := r.config.Publisher.DeclareQueues(ctx, missing); err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("missing queues were not declared", "queues", missing, "error", err)
	}
}

func (r *Relay) note(ctx context.Context, problems ...record.QueueProblem) {
	if err := r.config.Rows.NoteQueueProblems(ctx, problems); err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("the problems of queues were not noted", "error", err)
	}
}

// returns remembers since when, and how often, commands have come back from queues that are missing.
type returns struct {
	clock func() time.Time

	mu    sync.Mutex
	known map[string]returnedFrom // by queue
}

type returnedFrom struct {
	first, retryAt time.Time
	times          int
}

func newReturns(clock func() time.Time) *returns {
	return &returns{clock: clock, known: make(map[string]returnedFrom)}
}

// add counts a return from the queue. What comes back while the queue is left alone already does not count.
func (r *returns) add(queue string) returnedFrom {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	entry, known := r.known[queue]
	if !known {
		entry.first = now
	}
	if !now.Before(entry.retryAt) {
		entry.retryAt = now.Add(min(firstReturnWait<<min(entry.times, 10), maxReturnWait))
		entry.times++
	}
	r.known[queue] = entry
	return entry
}

// waiting are the queues to leave alone.
func (r *returns) waiting() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var queues []string
	for queue, entry := range r.known {
		if r.clock().Before(entry.retryAt) {
			queues = append(queues, queue)
		}
	}
	slices.Sort(queues)
	return queues
}

// forget reports whether the queue was missing.
func (r *returns) forget(queue string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.known[queue]
	delete(r.known, queue)
	return known
}
