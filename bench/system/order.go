package system

import (
	"errors"
)

// Order is the data of a saga.
type Order struct {
	ID       string `json:"orderId"`
	Customer string `json:"customer"`
	Amount   int    `json:"amount"`
	Declined bool   `json:"declined"` // the third step fails for good
}

// NewOrder makes the order of one saga.
func NewOrder(id string, variant Variant) Order {
	return Order{ID: id, Customer: "c-1042", Amount: 120, Declined: variant == Compensating}
}

// Step is one step of the order saga, and the command that undoes it. Queue is the worker's that executes both.
type Step struct {
	Queue, Execute, Undo string
}

// Steps are the steps of the order saga, in their order.
func Steps() []Step {
	return []Step{
		{Queue: "inventory", Execute: "inventory.reserve", Undo: "inventory.release"},
		{Queue: "payments", Execute: "payments.charge", Undo: "payments.refund"},
		{Queue: "orders", Execute: "orders.confirm"},
	}
}

// Commands is the number of commands that a saga needs: every step, and two compensations where the third one fails.
func (o Order) Commands() int {
	if o.Declined {
		return 5
	}
	return 3
}

// ErrDeclined is how the third step fails.
var ErrDeclined = errors.New("the order is declined")

// Handle does what a worker is asked to do, which is nothing. It fails where the order says so.
func Handle(command string, order Order) error {
	if order.Declined && command == "orders.confirm" {
		return ErrDeclined
	}
	return nil
}
