package system

import (
	"context"
	"fmt"
)

// Variant selects how the sagas of a run go.
type Variant string

// The variants.
const (
	Succeeding   Variant = "A" // all three steps succeed
	Compensating Variant = "B" // the third step fails, and two compensations follow in reverse order
)

// End is the outcome of a saga.
type End string

// The outcomes.
const (
	Completed   End = "completed"
	Compensated End = "compensated"
)

// End returns the expected outcome of the variant's sagas.
func (v Variant) End() End {
	if v == Compensating {
		return Compensated
	}
	return Completed
}

// System runs sagas. It must be safe for concurrent use.
type System interface {
	// Run runs one saga from its start to its end.
	Run(ctx context.Context, order Order) (End, error)
	// Ended counts the ended sagas in the database.
	Ended(ctx context.Context) (Tally, error)
	// Close stops the system and waits for its goroutines.
	Close(ctx context.Context) error
}

// Entry is a system's entry in the list of systems.
type Entry struct {
	Name   string
	Broker bool // the system uses RabbitMQ
	// Open prepares the database and the broker, and starts the system.
	Open func(ctx context.Context, place Place) (System, error)
	// Work answers commands until ctx ends, in a worker process. It calls ready when it can receive commands. nil: the
	// system has no worker process.
	Work func(ctx context.Context, place Place, ready func()) error
}

// Tally is a number of sagas by outcome.
type Tally map[End]int64

// Check returns an error unless the tally consists of exactly this number of the variant's sagas.
func (t Tally) Check(variant Variant, sagas int64) error {
	if len(t) != 1 || t[variant.End()] != sagas {
		return fmt.Errorf("ran %d sagas that should be %s; the database has %v", sagas, variant.End(), map[End]int64(t))
	}
	return nil
}

// Fault returns err, or nil if ctx has ended: errors of pending work are expected then.
func Fault(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}
