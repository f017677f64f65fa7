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
	requeue         // deliver it again
	reject          // make it a dead letter
)

// ledger keeps, for one channel, which deliveries are settled and what of that the broker was not told yet. Anybody may
// settle; one goroutine alone talks to the broker: settling from several has been seen to break channels.
type ledger struct {
	mu      sync.Mutex
	over    bool // the channel is gone: settling has no effect
	handed  uint64
	low     uint64          // every delivery below it is settled
	settled map[uint64]bool // those above
	due     []settlement    // what the broker was not told yet
	wake    wait.Signal     // fires when something is due
	limits  *readLimits     // which counts the bytes that are not settled
}

type settlement struct {
	tag     uint64
	verdict verdict
}

func newLedger(limits *readLimits) *ledger {
	return &ledger{low: 1, settled: make(map[uint64]bool), wake: wait.NewSignal(), limits: limits}
}

// hand notes a delivery before it is handed to the consumer. Tags count from 1 without gaps.
func (l *ledger) hand(tag uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handed = tag
}

// settle settles a delivery of so many bytes. It has an effect the first time only, and none when the channel is gone.
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

// orders are what to tell the broker, in this order.
type orders struct {
	single []settlement
	upTo   uint64 // acknowledge this one and every one below it; 0: none
}

// take returns what is due. Everything below `low` is settled, so one acknowledgement covers what is due there and
// positive, once the broker has been told of the rest; what lies above, out of order, is told one by one, so that a slow
// message does not hold up those after it.
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

// pressing says that the broker should be told at once: so much is due, or something that is no acknowledgement.
func (l *ledger) pressing(enough int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.due) >= enough || slices.ContainsFunc(l.due, func(s settlement) bool { return s.verdict != ack })
}

// count says how much was handed over so far, and how much of that is not settled.
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
