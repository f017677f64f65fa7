package rabbit

import (
	"context"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	replyPatience = 30 * time.Second // how long a reply is tried to be sent
	replyGrace    = 3 * time.Second  // the same, when the worker is ending
)

// Receive is a worker's side of a queue: it calls handle with every command, many at the same time and with no more than
// limit unsettled, until ctx ends. It then takes no more, waits for the calls that have begun, settles them
// and returns. A command is settled only after the broker has confirmed its reply.
func (b *Broker) Receive(ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer) error {
	var calls crew
	b.consume(ctx, consumer{
		queue: b.names.worker(queue), prefetch: limit, renew: b.config.Renew,
		handle: func(message wire.Message, settle func(verdict)) {
			calls.do(func() {
				v := requeue // stands if handle never returns
				defer func() { settle(v) }()
				answer := handle(message)
				failpoint.Reach("worker/replying")
				v = b.conclude(ctx, message, answer)
				failpoint.Reach("worker/acknowledging")
			})
		},
	})
	calls.end()
	return nil
}

// crew runs calls, each as soon as it comes. Its goroutines stay for the next call: a new one for every command would
// have to grow its stack every time.
type crew struct {
	idle    chan func()
	members sync.WaitGroup
}

func (c *crew) do(call func()) {
	if c.idle == nil {
		c.idle = make(chan func())
	}
	select {
	case c.idle <- call:
	default:
		c.members.Go(func() {
			for more := true; more; call, more = <-c.idle {
				call()
			}
		})
	}
}

// end waits for the calls that have begun. Nothing is to be done afterwards.
func (c *crew) end() {
	if c.idle != nil {
		close(c.idle)
	}
	c.members.Wait()
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
	answer := []outgoing{reply(command.ReplyTo, command.CorrelationID, body)}
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
	for retry.wait(trying) {
		if receipt.Outcome == wire.Refused { // it stays too large, or whatever the broker said
			break
		}
		if receipt = b.publisher.collect(trying, answer)[0]; receipt.Outcome == wire.Confirmed {
			return ack
		}
	}
	log := b.config.Logger.With("command_id", command.CorrelationID, "reason", receipt.Reason)
	if (receipt.Outcome == wire.Returned || receipt.Outcome == wire.Refused) && ctx.Err() == nil {
		log.Error("the broker does not take the reply, so its command becomes a dead letter", "reply_to", command.ReplyTo)
		return reject
	}
	log.Warn("a reply could not be sent, its command will be delivered again")
	return requeue
}
