package rabbit

import (
	"errors"
	"math"
	"sync/atomic"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	// unsettledBudget is the number of unsettled body bytes beyond which a consumer takes fewer messages at a time.
	unsettledBudget = 16 << 20
	// unsettledLimit is the number of unsettled body bytes that ends the connection. The broker then delivers them
	// again, to a consumer that takes fewer.
	unsettledLimit = 96 << 20
)

// errFlooded means that a connection was given up because too many bytes were unsettled.
var errFlooded = errors.New("too many bytes delivered at once, will take fewer messages at a time")

// readLimits limits what a connection receives. AMQP's prefetch counts messages, whatever their size, and RabbitMQ does
// not implement the prefetch in bytes.
type readLimits struct {
	frame atomic.Int64  // negotiated bytes of a frame
	body  atomic.Uint64 // bytes that are kept of a body

	delivered atomic.Int64 // body bytes
	settled   atomic.Int64
	flooded   atomic.Bool // the connection was given up
	crowded   wait.Signal // fires when more than the budget waits; zero: nothing is counted
}

func newReadLimits() *readLimits {
	l := &readLimits{}
	l.frame.Store(math.MaxInt32)
	l.body.Store(maxBody)
	return l
}

// count counts a body that is about to be delivered.
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

// restart ignores what an earlier channel of the connection has delivered.
func (l *readLimits) restart() { l.settled.Store(l.delivered.Load()) }
