package rabbit

import (
	"context"
	"sync"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// batch collects the receipts of messages that are published together.
type batch struct {
	mu       sync.Mutex
	receipts []wire.Receipt
	settled  []bool
	open     int
	done     chan struct{} // closed when every receipt is there
}

func newBatch(size int) *batch {
	b := &batch{receipts: make([]wire.Receipt, size), settled: make([]bool, size), open: size, done: make(chan struct{})}
	if size == 0 {
		close(b.done)
	}
	return b
}

// set gives one message its receipt; the first one stands.
func (b *batch) set(i int, receipt wire.Receipt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settled[i] {
		return
	}
	b.receipts[i], b.settled[i] = receipt, true
	if b.open--; b.open == 0 {
		close(b.done)
	}
}

// fail gives the messages from that one on a receipt that says that they were not sent.
func (b *batch) fail(from int, reason error) {
	for i := from; i < len(b.receipts); i++ {
		b.set(i, unconfirmed(reason))
	}
}

// wait returns the receipts when all are there, or ctx has ended.
func (b *batch) wait(ctx context.Context) []wire.Receipt {
	select {
	case <-b.done:
	case <-ctx.Done():
		b.fail(0, errNoConfirm)
	}
	return b.receipts
}

func unconfirmed(reason error) wire.Receipt {
	return wire.Receipt{Outcome: wire.Unconfirmed, Reason: reason.Error()}
}
