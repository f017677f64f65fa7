package rabbit

import (
	"errors"
	"math"
	"sync/atomic"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	// unsettledBudget is how many bytes of bodies may wait for their settlement before a consumer takes fewer messages
	// at a time.
	unsettledBudget = 16 << 20
	// unsettledLimit is how many bytes end the connection: the broker delivers again, to a consumer that takes fewer.
	unsettledLimit = 96 << 20
)

// errFlooded means that a connection was given up because too many bytes were delivered before any was settled.
var errFlooded = errors.New("too many bytes delivered at once, will take fewer messages at a time")

// readLimits bounds what a connection takes from the broker. AMQP's prefetch counts messages, whatever their size, and
// RabbitMQ does not implement the one in bytes.
type readLimits struct {
	frame atomic.Int64  // bytes of a frame, as negotiated
	body  atomic.Uint64 // bytes that are kept of a body

	delivered atomic.Int64 // bytes of bodies
	settled   atomic.Int64
	flooded   atomic.Bool // the connection was given up over it
	crowded   wait.Signal // fires when more than the budget waits; zero: nothing is counted
}

func newReadLimits() *readLimits {
	l := &readLimits{}
	l.frame.Store(math.MaxInt32)
	l.body.Store(maxBody)
	return l
}

// count takes note of a body that is about to be delivered.
func (l *readLimits) count(bytes uint64) error {
	waiting := l.delivered.Add(int64(bytes)) - l.settled.Load() //nolint:gosec // at most the limit of a body
	if l.crowded.C() == nil || waiting <= unsettledBudget {
		return nil
	}
	l.crowded.Notify()
	if waiting > unsettledLimit {
		l.flooded.Store(true)
		return errFlooded
	}
	return nil
}

// restart forgets what an earlier channel of the connection has delivered.
func (l *readLimits) restart() { l.settled.Store(l.delivered.Load()) }
