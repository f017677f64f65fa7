package rabbit

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// resubscribeWait limits how long a consumer waits before it looks again for a missing queue.
const resubscribeWait = time.Second

// startsAtOnce limits the unsettled requests to start a saga.
const startsAtOnce = 64

// Consume calls handle, from one goroutine, with every message of a queue until ctx ends or the Broker is closed. It
// survives every loss of the connection. At most prefetch messages are unsettled at a time. settle may be called later,
// from any goroutine and in any order: settle(true) once the message is processed, settle(false) to have it delivered
// again, which is meant for the end only. When ctx ends, Consume waits up to Config.Grace for unsettled messages; the
// rest is delivered again to the next consumer. handle must return when ctx ends.
func (b *Broker) Consume(ctx context.Context, queue string, prefetch int, handle func(message wire.Message, settle func(ok bool))) {
	b.consumeWith(ctx, queue, prefetch, nil, handle)
}

func (b *Broker) consumeWith(
	ctx context.Context, queue string, prefetch int, ranks *ranks, handle func(message wire.Message, settle func(ok bool)),
) {
	b.consume(ctx, consumer{
		queue: queue, prefetch: prefetch, ranks: ranks, grace: b.config.Grace, renew: b.config.Renew,
		handle: func(message wire.Message, settle func(verdict)) {
			handle(message, func(ok bool) {
				if ok {
					settle(ack)
				} else {
					settle(requeue)
				}
			})
		},
	})
}

// ConsumeReplies consumes the replies of workers.
//
// Each replica consumes with a priority of its own, drawn at random, so that one of them gets all replies as long as it takes
// them. It then knows the sagas, and its batches are those of the whole installation. When it is busy or gone, the next one gets
// the replies.
func (b *Broker) ConsumeReplies(ctx context.Context, handle func(message wire.Message, settle func(ok bool))) {
	b.consumeWith(ctx, b.names.replies(), b.config.Prefetch, newRanks(), handle)
}

// ConsumeDead consumes the dead letters. DiedIn says where each died first; its header x-death says why.
func (b *Broker) ConsumeDead(ctx context.Context, handle func(message wire.Message, settle func(ok bool))) {
	b.Consume(ctx, b.names.dead(), b.config.Prefetch, func(message wire.Message, settle func(bool)) {
		message.DiedIn = b.names.diedIn(message.Headers)
		handle(message, settle)
	})
}

// ConsumeStarts consumes the requests to start a saga, fewer at a time than replies: a flood of new sagas must not
// crowd out running ones.
func (b *Broker) ConsumeStarts(ctx context.Context, handle func(message wire.Message, settle func(ok bool))) {
	b.Consume(ctx, b.names.start(), min(b.config.Prefetch, startsAtOnce), handle)
}

// consume subscribes, and again after every loss.
func (b *Broker) consume(ctx context.Context, c consumer) {
	var retry backoff
	log := b.config.Logger.With("queue", c.queue)
	if !b.topology.awaitDeclared(ctx) {
		return
	}
	link := b.consuming(c.queue)
	defer link.consumes(c.queue, nil)
	failed := 0 // subscriptions, one after the other
	c.wanted = c.prefetch
	for ctx.Err() == nil {
		yielded, ok := b.topology.awaitOwn(ctx)
		if !ok {
			return
		}
		conn, err := link.await(ctx)
		if err != nil {
			return
		}
		c.priority = c.ranks.priority(time.Now())
		err = c.run(ctx, conn, yielded, func() {
			failed = 0
			link.consumes(c.queue, nil)
		})
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return
		}
		if isClosed(yielded) {
			log.Error("cannot consume: the prefix belongs to another installation")
			continue
		}
		if c.adapt(err, conn) {
			retry.reset()
			continue
		}
		if retry.newsworthy() {
			log.Warn("consuming failed, trying again", "error", err)
		}
		if failed++; failed >= failuresToTell {
			link.consumes(c.queue, err)
		}
		if conn.isGone() { // the link waits before it reconnects
			retry.reset()
			continue
		}
		b.publisher.redeclare() // the queue may be missing
		wait.For(ctx, min(retry.next(), resubscribeWait))
	}
}

// failuresToTell is the number of subscriptions that fail before a connection counts as broken because of them. One may fail while a
// queue is declared again.
const failuresToTell = 3

// run consumes with one subscription until it is lost, ctx ends, or the prefix turns out to belong to another
// installation. It calls subscribed once the broker has accepted it.
func (c *consumer) run(ctx context.Context, conn *connection, yielded <-chan struct{}, subscribed func()) error {
	if len(c.declare) > 0 {
		if _, fault := declareEach(conn, c.declare); fault != nil { // what exists with other properties is used as it is
			return fault
		}
	}
	s, err := subscribe(conn, *c)
	if err != nil {
		return err
	}
	subscribed()
	own, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-yielded:
			cancel()
		case <-own.Done():
		}
	})
	defer watching.Wait()
	defer cancel()
	return s.run(own)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// leastPrefetch is the minimum number of unsettled messages, however large they are.
const leastPrefetch = 4

// adapt chooses the prefetch of the next subscription. It returns false if the subscription ended with a failure.
func (c *consumer) adapt(end error, conn *connection) bool {
	switch {
	case errors.Is(end, errCrowded) || conn.limits.flooded.Load():
		c.prefetch = max(min(leastPrefetch, c.wanted), c.prefetch/8)
	case errors.Is(end, errQuiet):
		c.prefetch = c.wanted
	case errors.Is(end, errGivenBack):
		c.ranks.yield(time.Now())
	case errors.Is(end, errRoom):
		c.prefetch = min(c.wanted, 4*c.prefetch)
	default:
		return false
	}
	return true
}

// consuming returns the link of a queue. Each queue that the orchestrator consumes has its own connection, so that a
// message that breaks one stops no other. The workers of a process share one connection, to spare the broker.
func (b *Broker) consuming(queue string) *link {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := queue
	if b.config.WorkerOnly {
		name = ""
	}
	if found := b.consumers[name]; found != nil {
		return found
	}
	made := newLink(b.config, strings.TrimSpace("consume "+name))
	if name != "" {
		made.crowded = wait.NewSignal()
	}
	if name == b.names.replies() || name == b.names.start() {
		made.body = maxOwnBody
	}
	b.consumers[name] = made
	b.runs.Go(func() { made.run(b.ending) })
	return made
}
