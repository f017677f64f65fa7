package record

import "time"

// BacklogBound is the most that a Backlog counts of each kind: at that number there may be more.
const BacklogBound = 100_001

// Backlog counts what waits to leave, and what could not be processed, at a bounded cost.
type Backlog struct {
	OutboxPending int64
	OutboxOldest  time.Time        // zero: the outbox is empty
	DeadLetters   map[string]int64 // by source
}
