package system

import (
	"errors"
	"strings"
)

// Order is the data of a saga.
type Order struct {
	ID       string `json:"orderId"`
	Customer string `json:"customer"`
	Amount   int    `json:"amount"`
	Declined bool   `json:"declined"` // the third step fails
	Payload  string `json:"payload,omitempty"`
}

// NewOrder returns the order of one saga, with additional bytes of data.
func NewOrder(id string, variant Variant, payload int) Order {
	return Order{
		ID: id, Customer: "c-1042", Amount: 120, Declined: variant == Compensating, Payload: strings.Repeat("x", payload),
	}
}

// Step is a step of the order saga: the queue of its worker, and the commands that execute and compensate it.
type Step struct {
	Queue, Execute, Compensate string
}

// Steps returns the steps of the order saga in order.
func Steps() []Step {
	return []Step{
		{Queue: "inventory", Execute: "inventory.reserve", Compensate: "inventory.release"},
		{Queue: "payments", Execute: "payments.charge", Compensate: "payments.refund"},
		{Queue: "orders", Execute: "orders.confirm"},
	}
}

// Commands returns the number of commands of the saga: three steps, and two compensations if the third step fails.
func (o Order) Commands() int {
	if o.Declined {
		return 5
	}
	return 3
}

// ErrDeclined is returned by the third step of a declined order.
var ErrDeclined = errors.New("the order is declined")

// Handle is the handler of all commands. It does nothing, and returns ErrDeclined for the third step of a declined order.
func Handle(command string, order Order) error {
	if order.Declined && command == "orders.confirm" {
		return ErrDeclined
	}
	return nil
}
