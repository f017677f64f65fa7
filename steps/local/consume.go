package local

import (
	"context"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	prefetch    = 500             // messages that a consumer may hold unsettled
	settleGrace = 5 * time.Second // how long a stopping consumer waits for unsettled messages
)

// Receive implements steps.Transport: it calls handle with every command, each in its own goroutine and at most limit
// at a time, until ctx ends. It then waits for the running calls and returns.
func (b *Broker) Receive(ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer) error {
	from := b.worker(queue)
	defer from.subscribe()()
	var calls sync.WaitGroup
	defer calls.Wait()
	slots := make(chan struct{}, limit)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		taken := from.take(ctx)
		if taken == nil {
			return nil
		}
		calls.Go(func() {
			answer := wire.Answer{} // kept if handle never returns: deliver again
			defer func() {
				b.settle(queue, taken, answer)
				<-slots
			}()
			answer = handle(taken.message)
		})
	}
}

// ConsumeReplies calls handle with every reply until ctx ends. settle may be called later, from any goroutine:
// settle(true) once the reply is processed, settle(false) to have it delivered again. When ctx ends, ConsumeReplies
// waits a few seconds for unsettled replies; the rest is delivered again to the next consumer.
func (b *Broker) ConsumeReplies(ctx context.Context, handle func(message wire.Message, settle func(ok bool))) {
	consume(ctx, b.replies, handle)
}

// ConsumeDead calls handle with every dead letter, like ConsumeReplies.
func (b *Broker) ConsumeDead(ctx context.Context, handle func(message wire.Message, settle func(ok bool))) {
	consume(ctx, b.dead, handle)
}

func consume(ctx context.Context, from *queue, handle func(wire.Message, func(bool))) {
	defer from.subscribe()()
	held := &holding{from: from, entries: make(map[*entry]bool), slots: make(chan struct{}, prefetch)}
	for {
		select {
		case held.slots <- struct{}{}:
		case <-ctx.Done():
			held.release(settleGrace)
			return
		}
		taken := from.take(ctx)
		if taken == nil {
			<-held.slots
			held.release(settleGrace)
			return
		}
		held.add(taken)
		handle(taken.message, func(ok bool) { held.settle(taken, ok) })
	}
}

// holding holds the unsettled messages of a consumer.
type holding struct {
	from    *queue
	mu      sync.Mutex
	entries map[*entry]bool
	slots   chan struct{} // one element for each entry
}

func (h *holding) add(e *entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries[e] = true
}

// settle settles a message. Only the first call for a message counts.
func (h *holding) settle(e *entry, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.entries[e] {
		return
	}
	delete(h.entries, e)
	<-h.slots
	if !ok {
		h.from.putBack(e)
	}
}

// release waits for unsettled messages by acquiring every slot, and returns the rest to the queue.
func (h *holding) release(grace time.Duration) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for range cap(h.slots) {
		select {
		case h.slots <- struct{}{}:
			continue
		case <-timer.C:
		}
		break
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for e := range h.entries {
		delete(h.entries, e)
		h.from.putBack(e)
	}
}
