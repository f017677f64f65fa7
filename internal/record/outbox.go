package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// OutboxClaim selects outbox rows to claim. If any row qualifies, at least one is claimed, however large.
type OutboxClaim struct {
	Limit  int      // most commands
	Bytes  int      // most bytes of their bodies in total; 0: no limit
	Except []string // queues to skip
	Only   string   // the only queue to claim from; empty: all
}

// QueueProblem is the reason why a worker queue accepts no commands. Publishing to it pauses until RetryAt; then one
// command probes the queue. Noted times are by the clock of the process, read times by that of the store. Since is the
// time of the first note of the same kind; zero in a note means now.
type QueueProblem struct {
	Queue   string
	Kind    ProblemKind
	Reason  string // in the words of the broker, for operators
	Since   time.Time
	RetryAt time.Time
}

// ProblemKind is the kind of a QueueProblem.
type ProblemKind string

// The kinds of problems.
const (
	QueueMissing       ProblemKind = "missing"        // the broker returned a command because the queue does not exist
	QueueRefuses       ProblemKind = "refuses"        // the broker sent a negative confirm, for example because the queue is full
	QueueNotConfirming ProblemKind = "not_confirming" // the broker did not confirm commands in time
)

// RefusedCommand is a command that the broker refuses whatever its queue, for example because it is too large. It is
// published again after RetryAfter, on its own channel.
type RefusedCommand struct {
	Command    saga.CommandID
	Reason     string // in the words of the broker
	RetryAfter time.Duration
}
