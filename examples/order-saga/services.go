package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/steps"
)

// effect executes a command. It returns the step's output and a line for the ledger of the service.
type effect func(cmd steps.Command[Order]) (output map[string]any, line string, err error)

// service is a worker queue with its commands.
type service struct {
	queue    string
	commands map[string]effect
}

// services returns the inventory, payment and order services. In production each is a separate program.
func services() []service {
	return []service{
		{queue: "inventory", commands: map[string]effect{"inventory.reserve": reserve, "inventory.release": release}},
		{queue: "payments", commands: map[string]effect{"payments.charge": charge, "payments.refund": refund}},
		{queue: "orders", commands: map[string]effect{"orders.confirm": confirm, "email.receipt": sendReceipt}},
	}
}

func reserve(cmd steps.Command[Order]) (map[string]any, string, error) {
	return map[string]any{"reservationId": "r-" + cmd.Data.OrderID}, "reserved " + cmd.Data.Item, nil
}

func release(cmd steps.Command[Order]) (map[string]any, string, error) {
	return nil, "released " + cmd.Data.Item, nil
}

// declinedCard is a card that the bank always declines.
const declinedCard = "4000-0000-0000-0002"

func charge(cmd steps.Command[Order]) (map[string]any, string, error) {
	if cmd.Data.Card == declinedCard {
		return nil, "", steps.Fail("card_declined", "insufficient funds")
	}
	return map[string]any{"paymentId": "p-" + cmd.Data.OrderID}, fmt.Sprintf("charged %d", cmd.Data.Amount), nil
}

func refund(cmd steps.Command[Order]) (map[string]any, string, error) {
	return nil, fmt.Sprintf("refunded %d", cmd.Data.Amount), nil
}

// largestOrder is the largest amount that the order service confirms.
const largestOrder = 10_000

func confirm(cmd steps.Command[Order]) (map[string]any, string, error) {
	if cmd.Data.Amount > largestOrder {
		return nil, "", steps.Fail("order_too_large", fmt.Sprintf("more than %d", largestOrder))
	}
	return nil, "confirmed order " + cmd.Data.OrderID, nil
}

func sendReceipt(cmd steps.Command[Order]) (map[string]any, string, error) {
	if !strings.Contains(cmd.Data.Email, "@") {
		return nil, "", steps.Retry("mail_refused", fmt.Sprintf("%q is not an email address", cmd.Data.Email))
	}
	return nil, "sent receipt to " + cmd.Data.Email, nil
}

// worker returns the worker of the service. Each command suffers the requested trouble, and the state makes it take effect
// once.
func (s service) worker(kept state, asked trouble, config steps.Config) *steps.Worker {
	worker := steps.NewWorker(s.queue, config)
	for name, do := range s.commands {
		kept.serve(worker, s.queue, name, func(ctx context.Context, cmd steps.Command[Order]) (map[string]any, string, error) {
			if err := asked.before(ctx, s.queue, cmd); err != nil {
				return nil, "", err
			}
			output, line, err := do(cmd)
			if err == nil {
				asked.after(s.queue)
			}
			return output, line, err
		})
	}
	return worker
}
