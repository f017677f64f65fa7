package local

import (
	"container/heap"
	"context"
	"sync"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// entry is a queued message. It keeps its place when it is put back.
type entry struct {
	message    wire.Message
	priority   uint8
	sequence   uint64
	deliveries int
}

// queue holds messages, the most urgent first. It needs no limit: the number of unfinished sagas bounds it.
type queue struct {
	mu        sync.Mutex
	declared  bool
	consumers int
	sequence  uint64
	waiting   entries
	filled    chan struct{} // closed and replaced whenever a message comes in
}

func newQueue(declared bool) *queue {
	return &queue{declared: declared, filled: make(chan struct{})}
}

func (q *queue) push(message wire.Message, priority uint8) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sequence++
	q.add(&entry{message: message, priority: priority, sequence: q.sequence})
}

// putBack makes a taken message ready again.
func (q *queue) putBack(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e.message.Redelivered = true
	q.add(e)
}

func (q *queue) add(e *entry) {
	heap.Push(&q.waiting, e)
	close(q.filled)
	q.filled = make(chan struct{})
}

// take waits for a message. It returns nil if ctx ends first.
func (q *queue) take(ctx context.Context) *entry {
	for ctx.Err() == nil {
		q.mu.Lock()
		if q.waiting.Len() > 0 {
			e, _ := heap.Pop(&q.waiting).(*entry)
			e.deliveries++
			q.mu.Unlock()
			return e
		}
		filled := q.filled
		q.mu.Unlock()
		select {
		case <-filled:
		case <-ctx.Done():
		}
	}
	return nil
}

func (q *queue) declare() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.declared = true
}

// subscribe counts a consumer until unsubscribe is called.
func (q *queue) subscribe() (unsubscribe func()) {
	q.count(1)
	return func() { q.count(-1) }
}

func (q *queue) count(change int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.consumers += change
}

func (q *queue) state() wire.QueueState {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.declared {
		return wire.QueueState{}
	}
	return wire.QueueState{Exists: true, Depth: q.waiting.Len(), Consumers: q.consumers}
}

// entries implements heap.Interface.
type entries []*entry

func (h entries) Len() int      { return len(h) }
func (h entries) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h entries) Less(i, j int) bool {
	if h[i].priority != h[j].priority {
		return h[i].priority > h[j].priority
	}
	return h[i].sequence < h[j].sequence
}

func (h *entries) Push(x any) {
	e, _ := x.(*entry)
	*h = append(*h, e)
}

func (h *entries) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
