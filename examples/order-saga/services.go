package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/steps"
)

// services returns the queues of the inventory, payment and order services. In production each service is a separate program.
func services() []string { return []string{"inventory", "payments", "orders"} }

// declinedCard is a card that the bank always declines.
const declinedCard = "4000-0000-0000-0002"

// largestOrder is the largest amount that the order service confirms.
const largestOrder = 10_000

func confirm(_ context.Context, o *Order) error {
	if o.Amount > largestOrder {
		return steps.Fail("order_too_large", fmt.Sprintf("more than %d", largestOrder))
	}
	return nil
}

func sendReceipt(_ context.Context, o *Order) error {
	if !strings.Contains(o.Email, "@") {
		return steps.Retry("mail_refused", fmt.Sprintf("%q is not an email address", o.Email))
	}
	return nil
}

// line says in the ledger of a service what a command has done.
func line(command string, o *Order) string {
	switch command {
	case "inventory.reserve":
		return "reserved " + o.Item
	case "inventory.release":
		return "released " + o.Item
	case "payments.charge":
		return fmt.Sprintf("charged %d", o.Amount)
	case "payments.refund":
		return fmt.Sprintf("refunded %d", o.Amount)
	case "orders.confirm":
		return "confirmed order " + o.OrderID
	default:
		return "sent receipt to " + o.Email
	}
}
