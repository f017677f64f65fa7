package system

import (
	"context"
	"fmt"
)

// Variant is how a saga goes.
type Variant string

// The variants.
const (
	Succeeding   Variant = "A" // all three steps succeed
	Compensating Variant = "B" // the third fails for good, and two compensations follow in reverse
)

// End is the outcome of a saga.
type End string

// The outcomes.
const (
	Completed   End = "completed"
	Compensated End = "compensated"
)

// End is how the variant's sagas must end.
func (v Variant) End() End {
	if v == Compensating {
		return Compensated
	}
	return Completed
}

// System makes sagas. It is used by many goroutines at once.
type System interface {
	// Run takes one saga from its start to its end.
	Run(ctx context.Context, order Order) (End, error)
	// Ended counts the ended sagas in the rows of its database, whatever the process remembers.
	Ended(ctx context.Context) (Tally, error)
	// Close ends its work and waits for its goroutines.
	Close(ctx context.Context) error
}

// Entry is a system's entry in the list.
type Entry struct {
	Name   string
	Broker bool // it uses RabbitMQ
	// Open prepares the database and the broker, and starts the system.
	Open func(ctx context.Context, place Place) (System, error)
	// Work is the worker process, where there is one: it answers commands until ctx ends. It calls ready when it can be
	// sent some.
	Work func(ctx context.Context, place Place, ready func()) error
}

// Tally is a number of sagas by outcome.
type Tally map[End]int64

// Check reports whether the tally is that of so many sagas of a variant and nothing else.
func (t Tally) Check(variant Variant, sagas int64) error {
	if len(t) != 1 || t[variant.End()] != sagas {
		return fmt.Errorf("ran %d sagas that should be %s, and the database has %v", sagas, variant.End(), map[End]int64(t))
	}
	return nil
}

// Fault is err while the work goes on. When it ends, what is on its way fails because of that, and nothing is wrong.
func Fault(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}
