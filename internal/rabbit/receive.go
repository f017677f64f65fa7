package rabbit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	replyPatience = 30 * time.Second // how long a reply is tried to be sent
	replyGrace    = 3 * time.Second  // the same, when the worker is ending
)

// Receive is a worker's side of a queue: it calls handle with every command, each in a goroutine of its own and with no
// more than limit unsettled, until ctx ends. It then takes no more, waits for the calls that have begun, settles them
// and returns. A command is settled only after the broker has confirmed its reply.
func (b *Broker) Receive(ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer) error {
	var calls sync.WaitGroup
	b.consume(ctx, consumer{
		queue: b.names.worker(queue), prefetch: limit, renew: b.config.Renew,
		handle: func(message wire.Message, settle func(verdict)) {
			calls.Go(func() {
				v := requeue // stands if handle never returns
				defer func() { settle(v) }()
				answer := handle(message)
				failpoint.Reach("worker/replying")
				v = b.conclude(ctx, message, answer)
				failpoint.Reach("worker/acknowledging")
			})
		},
	})
	calls.Wait()
	return nil
}

// conclude sends the reply, if there is one, and says how to settle the command.
func (b *Broker) conclude(ctx context.Context, command wire.Message, answer wire.Answer) verdict {
	switch answer.Settlement {
	case wire.Replied:
		return b.sendReply(ctx, command, answer.Reply)
	case wire.Dropped:
		return ack
	case wire.Rejected:
		return reject
	default:
		return requeue
	}
}

// sendReply tries until the broker has confirmed the reply. It goes on when the command's own channel is lost: the
// command then comes again, but its deadline may have passed by that time, and what was done would go unsaid.
func (b *Broker) sendReply(ctx context.Context, command wire.Message, body []byte) verdict {
	trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), replyPatience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		if pause(trying, replyGrace) {
			cancel()
		}
	})
	defer stop()
	var wait backoff
	for {
		receipt := b.publisher.publish(trying, []outgoing{reply(command.ReplyTo, command.CorrelationID, body)})[0]
		if receipt.Outcome == wire.Confirmed {
			return ack
		}
		if wait.wait(trying) {
			continue
		}
		log := b.config.Logger.With("command_id", command.CorrelationID, "reason", receipt.Reason)
		if receipt.Outcome == wire.Returned && ctx.Err() == nil {
			log.Error(fmt.Sprintf("nobody takes replies at %q, the command is put aside as a dead letter", command.ReplyTo))
			return reject
		}
		log.Warn("a reply could not be sent, its command will be delivered again")
		return requeue
	}
}
