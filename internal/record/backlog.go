package record

import "time"

// BacklogBound is the largest count in a Backlog. At that number there may be more.
const BacklogBound = 100_001

// Backlog counts the commands in the outbox, the dead letters and the starts from SQL that wait, at a bounded cost.
type Backlog struct {
	OutboxPending int64            // without the commands that are held back
	OutboxOldest  time.Time        // but for messages between sagas that wait for a repair; zero: none is pending
	HeldBack      int64            // commands that settings of their queues, or the pause of their sagas, hold back
	DeadLetters   map[string]int64 // by source
	StartsPending int64            // starts from SQL that no replica has stored
	StartsOldest  time.Time        // zero: none is pending
	AuditOldest   time.Time        // entry of the audit log that is not sealed; zero: none
	// EventsOldest has the time of the oldest lifecycle event that each sink has not taken. A sink without any is not in it.
	EventsOldest map[Sink]time.Time
	// AuditUnreadable counts entries of the audit log that stand for one that could not be read.
	AuditUnreadable int64
}
