package record

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Limits of the settings of a queue.
const (
	MaxQueueOut  = 10_000
	MinQueueRate = 0.01
	MaxQueueRate = 100_000
)

// QueueSettings is what an operator has set for a worker queue. The zero value holds nothing back. What a setting holds
// back waits in the outbox, in the order of its priority, then of its age. A compensation is held back by a pause only.
type QueueSettings struct {
	Paused bool
	MaxOut int       // execute commands that may be out at a time, over all replicas; 0: no cap
	Rate   float64   // execute commands a second, over all replicas; 0: no limit
	Since  time.Time // when they were changed last
}

// Equal reports whether the settings are the same, whenever they were set.
func (s QueueSettings) Equal(other QueueSettings) bool {
	return s.Paused == other.Paused && s.MaxOut == other.MaxOut && s.Rate == other.Rate
}

// Free reports whether nothing is set.
func (s QueueSettings) Free() bool { return !s.Paused && s.MaxOut == 0 && s.Rate == 0 }

// Holds reports whether commands in this direction have to ask before they leave.
func (s QueueSettings) Holds(direction saga.Direction) bool {
	return s.Paused || direction == saga.Execute && !s.Free()
}

// Burst returns how many commands may leave at once after the queue was idle: those of a fifth of a second.
func (s QueueSettings) Burst() float64 { return max(1, s.Rate/5) }

// QueueControl is a worker queue that has settings or commands that are held back.
type QueueControl struct {
	Queue string
	QueueSettings
	Waiting bool // commands are held back
}

// HeldClaim selects commands of a queue that are held back.
type HeldClaim struct {
	Queue string
	Limit int // most commands
	Bytes int // most bytes of their bodies in total; 0: no limit. The first command is claimed however large
}

// Audited is what the audit log says of settings.
func (s QueueSettings) Audited() map[string]any {
	shown := map[string]any{"paused": s.Paused, "max_out": nil, "rate": nil}
	if s.MaxOut > 0 {
		shown["max_out"] = s.MaxOut
	}
	if s.Rate > 0 {
		shown["rate"] = s.Rate
	}
	return shown
}
