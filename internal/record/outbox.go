package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// OutboxClaim selects the outbox rows to take over. At least one row is claimed, however large, if any qualifies.
type OutboxClaim struct {
	Limit  int      // commands at most
	Bytes  int      // of their bodies together; 0: no limit
	Except []string // queues to leave alone
	Only   string   // if set, the only queue to claim from
}

// QueueProblem is why a worker queue takes no commands at present. Publishing to it pauses until RetryAt; then one
// command probes the queue. What is noted has times of the process's clock, what is read has times of the store's. Since
// is that of the first note of the same kind; zero in a note: now.
type QueueProblem struct {
	Queue   string
	Kind    ProblemKind
	Reason  string // in the broker's words, for operators
	Since   time.Time
	RetryAt time.Time
}

// ProblemKind is the kind of a QueueProblem.
type ProblemKind string

// The kinds of problems.
const (
	QueueMissing       ProblemKind = "missing"        // the broker returned a command: there is no such queue
	QueueRefuses       ProblemKind = "refuses"        // the broker answered with a negative confirm: the queue is full, for example
	QueueNotConfirming ProblemKind = "not_confirming" // the broker took commands and did not confirm them in time
)

// RefusedCommand is a command that the broker refuses whatever its queue: it is too large, for example. It is published
// again after RetryAfter, on a channel of its own.
type RefusedCommand struct {
	Command    saga.CommandID
	Reason     string // in the broker's words
	RetryAfter time.Duration
}
