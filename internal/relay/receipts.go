package relay

import (
	"context"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// published is a command with its receipt.
type published struct {
	command *wire.Command
	receipt wire.Receipt
	waited  bool // it reached its queue so late that its attempt's time starts only now
}

// receipts collects receipts until settle processes them.
type receipts struct {
	came wait.Signal // fires when all may not be empty

	mu  sync.Mutex
	all []published
}

func (r *receipts) add(one published) {
	r.mu.Lock()
	r.all = append(r.all, one)
	r.mu.Unlock()
	r.came.Notify()
}

func (r *receipts) take() []published {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.all
	r.all = nil
	return taken
}

// publish publishes one batch and settles the receipts that exist when it returns; settleLate settles later ones. since
// is when the first command was handed over; zero means that the commands come from the table.
func (r *Relay) publish(ctx context.Context, commands []wire.Command, since time.Time) {
	failpoint.Reach("relay/publishing")
	note := func(command *wire.Command, receipt wire.Receipt) {
		took := r.config.Now().Sub(since) // very long for commands from the table
		r.receipts.add(published{command, receipt, took > max(promptly, command.Timeout/20)})
	}
	sound := commands
	if slices.ContainsFunc(commands, suspect) {
		sound = make([]wire.Command, 0, len(commands))
		for i := range commands {
			if suspect(commands[i]) {
				note(&commands[i], r.config.Publisher.PublishAlone(ctx, &commands[i]))
			} else {
				sound = append(sound, commands[i])
			}
		}
	}
	if len(sound) > 0 {
		r.config.Publisher.Publish(ctx, sound, func(i int, receipt wire.Receipt) { note(&sound[i], receipt) })
	}
	failpoint.Reach("relay/confirmed")
	r.config.Sent(len(commands))
	r.settle(ctx)
}

// suspect reports whether a command may close the channel on which it is published. A message between sagas has none.
func suspect(c wire.Command) bool { return c.Suspect && c.Queue != wire.BetweenSagas }

// settleLate settles the receipts that come after their batch.
func (r *Relay) settleLate(ctx context.Context) {
	for {
		select {
		case <-r.receipts.came.C():
			r.SettleReceipts(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// SettleReceipts processes the receipts that came after their batch. Run calls it as they come; a simulation calls it itself.
func (r *Relay) SettleReceipts(ctx context.Context) { r.settle(ctx) }

// settle processes the available receipts.
func (r *Relay) settle(ctx context.Context) {
	var refused, unread []record.RefusedCommand
	closed := make(map[string]closure)
	unconfirmed := 0
	for _, one := range r.receipts.take() {
		queue := one.command.Queue
		switch outcome := one.receipt.Outcome; outcome {
		case wire.Confirmed:
			r.gates.confirm(queue)
			r.unconfirmed.ended()
			r.refusals.forget(one.command.ID)
			r.confirm(ctx, one)
		case wire.Returned, wire.Nacked, wire.NotConfirmed:
			if found, news := r.gates.fail(queue, problemOf(outcome), one.receipt.Reason); news {
				closed[queue] = found
			}
		case wire.Refused:
			again := record.RefusedCommand{Command: one.command.ID, Reason: one.receipt.Reason, RetryAfter: r.refusals.add(one.command.ID)}
			if queue == wire.BetweenSagas {
				unread = append(unread, again)
			} else {
				refused = append(refused, again)
			}
		case wire.Postponed: // as below, but nothing is wrong
		default: // its lease expires, and it is claimed and published again
			unconfirmed++
		}
	}
	if unconfirmed > 0 && ctx.Err() == nil && r.unconfirmed.failed() {
		r.config.Logger.Warn("commands were not confirmed, they will be published again", "commands", unconfirmed)
	}
	r.reportRefused(ctx, "the broker refuses commands", refused)
	r.reportRefused(ctx, "messages between sagas wait for a saga that cannot be read", unread)
	r.reportClosed(ctx, closed)
}

// confirm lets a row be deleted. If the command had to wait, the saga first records that its time starts now.
func (r *Relay) confirm(ctx context.Context, one published) {
	id := one.command.ID
	if one.waited {
		r.config.Published(ctx, id, func() { r.ReturnConfirmed([]saga.CommandID{id}) })
		return
	}
	r.ReturnConfirmed([]saga.CommandID{id})
}

// reportRefused records refused commands. Each is published again after longer and longer pauses: alone, if the broker refused it.
func (r *Relay) reportRefused(ctx context.Context, what string, refused []record.RefusedCommand) {
	if len(refused) == 0 {
		return
	}
	r.config.Logger.Error(what, "commands", len(refused),
		"command_id", refused[0].Command.String(), "reason", refused[0].Reason, "retry_after", refused[0].RetryAfter)
	if err := r.config.Rows.MarkRefused(ctx, refused); err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("refused commands were not marked", "error", err)
	}
}

// reportClosed records the queues that refuse commands, and declares queues that stay missing: another process may have
// registered the definition, or an operator may have deleted the queue.
func (r *Relay) reportClosed(ctx context.Context, closed map[string]closure) {
	if len(closed) == 0 {
		return
	}
	noted := make([]record.QueueProblem, 0, len(closed))
	var missing []string
	for _, queue := range slices.Sorted(maps.Keys(closed)) {
		problem := closed[queue].problem
		noted = append(noted, problem)
		if r.gates.missingFor(&problem) >= redeclareAfter {
			missing = append(missing, queue)
		}
		if bits.OnesCount(closed[queue].times) == 1 { // the first failure, and whenever the number of consecutive failures has doubled
			r.config.Logger.Warn("a queue accepts no commands", "queue", queue, "problem", problem.Kind,
				"reason", problem.Reason, "retry_at", problem.RetryAt)
		}
	}
	r.note(ctx, noted)
	if len(missing) == 0 {
		return
	}
	if err := r.config.Publisher.DeclareQueues(ctx, missing); err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("missing queues were not declared", "queues", missing, "error", err)
	}
}

func (r *Relay) note(ctx context.Context, problems []record.QueueProblem) {
	if err := r.config.Rows.NoteQueueProblems(ctx, problems); err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("problems of queues were not noted", "error", err)
	}
}

const (
	firstRefusal = 5 * time.Second
	maxRefusal   = 10 * time.Minute
	maxRefusals  = 10_000
)

// refusals counts how often the broker has refused each command.
type refusals struct {
	mu    sync.Mutex
	times map[saga.CommandID]int
}

// add returns how long to wait before the command is published again.
func (r *refusals) add(id saga.CommandID) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.times == nil || len(r.times) >= maxRefusals {
		r.times = make(map[saga.CommandID]int) // some start with short pauses again
	}
	wait := min(firstRefusal<<min(r.times[id], 10), maxRefusal)
	r.times[id]++
	return wait
}

func (r *refusals) forget(id saga.CommandID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.times, id)
}
