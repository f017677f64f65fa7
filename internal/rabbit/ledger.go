package rabbit

import (
	"slices"
	"sync"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// verdict is how a delivery is settled.
type verdict int

const (
	ack     verdict = iota
	requeue         // deliver again
	reject          // dead-letter
	// leave settles nothing: the broker delivers the message again, in its place, after the end of the channel. Only for
	// consumers that take one message at a time.
	leave
)

// ledger tracks, for one channel, which deliveries are settled and what the broker has not been told yet. Any goroutine
// may settle, but only one talks to the broker: concurrent settling can break channels.
type ledger struct {
	mu      sync.Mutex
	over    bool // the channel is lost: settling has no effect
	handed  uint64
	low     uint64          // every delivery below it is settled
	settled map[uint64]bool // settled deliveries above low
	due     []settlement    // what the broker has not been told yet
	wake    wait.Signal     // fires when something is due
	limits  *readLimits     // counts the unsettled bytes
}

type settlement struct {
	tag     uint64
	verdict verdict
}

func newLedger(limits *readLimits) *ledger {
	return &ledger{low: 1, settled: make(map[uint64]bool), wake: wait.NewSignal(), limits: limits}
}

// hand records a delivery before the consumer gets it. Tags count from 1 without gaps.
func (l *ledger) hand(tag uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handed = tag
}

// settle settles a delivery of this many bytes. Only the first call for a tag counts, and none after the channel is
// lost.
func (l *ledger) settle(tag uint64, v verdict, bytes int) {
	l.mu.Lock()
	if l.over || tag < l.low || l.settled[tag] {
		l.mu.Unlock()
		return
	}
	l.settled[tag] = true
	for l.settled[l.low] {
		delete(l.settled, l.low)
		l.low++
	}
	l.due = append(l.due, settlement{tag, v})
	l.limits.settled.Add(int64(bytes))
	l.mu.Unlock()
	l.wake.Notify()
}

// orders are the settlements to send to the broker, in this order.
type orders struct {
	single []settlement
	upTo   uint64 // acknowledge this tag and all below it; 0: none
}

// take returns what is due. Everything below `low` is settled, so one acknowledgement covers the acknowledged part of
// it once the rest was sent. Tags above, out of order, are sent one by one, so that a slow message does not delay later
// ones.
func (l *ledger) take() orders {
	l.mu.Lock()
	due, low := l.due, l.low
	l.due = nil
	l.mu.Unlock()
	var o orders
	for _, s := range due {
		if s.verdict == ack && s.tag < low {
			o.upTo = max(o.upTo, s.tag)
			continue
		}
		o.single = append(o.single, s)
	}
	slices.SortFunc(o.single, func(a, b settlement) int { return int(a.tag) - int(b.tag) }) //nolint:gosec // counts
	return o
}

// pressing reports whether the broker should be told at once: because enough is due, or because of a requeue or reject.
func (l *ledger) pressing(enough int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.due) >= enough || slices.ContainsFunc(l.due, func(s settlement) bool { return s.verdict != ack })
}

// count returns the number of deliveries and how many of them are unsettled.
func (l *ledger) count() (handed uint64, unsettled int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.handed, int(l.handed+1-l.low) - len(l.settled) //nolint:gosec // bounded by the prefetch
}

func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}
