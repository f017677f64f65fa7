package rabbit

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/goroutines"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	replyPatience = 30 * time.Second // how long a reply is retried
	// elsewherePatience is the same for a reply to a queue that does not exist and is not the orchestrator's, which would declare it again.
	elsewherePatience = 2 * time.Second
	replyGrace        = 3 * time.Second // the same, once the worker stops
)

// Receive is a worker's side of a queue: it calls handle with every command, concurrently and at most limit at a time,
// until ctx ends. It then waits for the running calls, settles them and returns. A command is settled only after the
// broker has confirmed its reply.
func (b *Broker) Receive(ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer) error {
	calls := goroutines.NewPool()
	b.consume(ctx, consumer{
		queue: b.names.worker(queue), prefetch: limit, renew: b.config.Renew,
		handle: func(message wire.Message, settle func(verdict)) {
			calls.Run(func() {
				v := requeue // kept if handle never returns
				defer func() { settle(v) }()
				if !brokerCanDeadLetter(&message) {
					v = b.deadLetter(ctx, &message)
					return
				}
				answer := handle(message)
				failpoint.Reach("worker/replying")
				v = b.conclude(ctx, message, answer)
				failpoint.Reach("worker/acknowledging")
			})
		},
	})
	calls.Close()
	return nil
}

// conclude sends the reply, if any, and returns how to settle the command.
func (b *Broker) conclude(ctx context.Context, command wire.Message, answer wire.Answer) verdict {
	switch answer.Settlement {
	case wire.Replied:
		return b.sendReply(ctx, command, answer.Reply)
	case wire.Dropped:
		return ack
	case wire.Rejected:
		return b.reject(ctx, &command)
	default:
		return requeue
	}
}

// sendReply retries until the broker has confirmed the reply. It continues after the command's own channel is lost: the
// command is delivered again, but perhaps after its deadline, and its effect would then go unreported.
func (b *Broker) sendReply(ctx context.Context, command wire.Message, body []byte) verdict {
	answer := []outgoing{b.reply(command.ReplyTo, command.CorrelationID, body)}
	lasting := context.WithoutCancel(ctx)
	receipt := b.publisher.collect(lasting, answer)[0]
	if receipt.Outcome == wire.Confirmed {
		return ack
	}
	trying, cancel := context.WithTimeout(lasting, replyPatience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		if wait.For(trying, replyGrace) {
			cancel()
		}
	})
	defer stop()
	var retry backoff
	var gone *time.Timer                  // runs since the broker first returned the reply
	for receipt.Outcome != wire.Refused { // it stays refused, for example as too large
		if gone == nil && receipt.Outcome == wire.Returned && command.ReplyTo != b.names.replies() {
			gone = time.AfterFunc(elsewherePatience, cancel)
			defer gone.Stop()
		}
		if !retry.wait(trying) {
			break
		}
		if receipt = b.publisher.collect(trying, answer)[0]; receipt.Outcome == wire.Confirmed {
			return ack
		}
	}
	log := b.config.Logger.With("command_id", command.CorrelationID, "reason", receipt.Reason)
	if (receipt.Outcome == wire.Returned || receipt.Outcome == wire.Refused) && ctx.Err() == nil {
		log.Error("the broker refuses the reply, its command becomes a dead letter", "reply_to", command.ReplyTo)
		return b.reject(ctx, &command)
	}
	log.Warn("a reply could not be sent, its command will be delivered again")
	return requeue
}
