package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// patience is the time limit of an order in the example.
const patience = 30 * time.Second

// show registers the definition and starts three orders, one after the other.
func show(ctx context.Context, orchestrator *client.Client, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	if _, err := orderSaga().Register(ctx, orchestrator); err != nil {
		return fmt.Errorf("register the definition: %w", err)
	}
	for _, act := range []func(context.Context, *client.Client, *timeline) error{goesThrough, isDeclined, getsStuck} {
		if err := act(ctx, orchestrator, newTimeline(out)); err != nil {
			return err
		}
	}
	return nil
}

func goesThrough(ctx context.Context, orchestrator *client.Client, line *timeline) error {
	line.title("1", "An order succeeds")
	order := Order{OrderID: "1001", Item: "a teapot", Amount: 40, Card: "4242-4242-4242-4242", Email: "ada@example.com"}
	_, err := follow(ctx, orchestrator, line, order, saga.Completed)
	return err
}

func isDeclined(ctx context.Context, orchestrator *client.Client, line *timeline) error {
	line.title("2", "A card is declined: the reservation is released")
	order := Order{OrderID: "1002", Item: "a piano", Amount: 9000, Card: declinedCard, Email: "bo@example.com"}
	_, err := follow(ctx, orchestrator, line, order, saga.Compensated)
	return err
}

// getsStuck shows how an operator repairs a stuck saga: find the cause, correct the data, retry.
func getsStuck(ctx context.Context, orchestrator *client.Client, line *timeline) error {
	line.title("3", "A receipt cannot be sent: the saga is stuck, and an operator repairs it")
	order := Order{OrderID: "1003", Item: "a lamp", Amount: 25, Card: "4242-4242-4242-4242", Email: "cy-at-example.com"}
	stuck, err := follow(ctx, orchestrator, line, order, saga.Stuck)
	if err != nil {
		return err
	}
	why, err := orchestrator.Why(ctx, stuck.ID)
	if err != nil {
		return err
	}
	line.say("GET /v1/sagas/%s…/why", stuck.ID[:10])
	line.say("  %s: %s", why.Cause, why.Message)
	line.say("  allowed actions: %v", why.AllowedActions)
	line.say("PATCH …/data {\"email\": \"cy@example.com\"}")
	if _, err := orchestrator.PatchData(ctx, stuck.ID, []byte(`{"email":"cy@example.com"}`),
		client.ActionOptions{Reason: "typing error in the address"}); err != nil {
		return err
	}
	line.say("POST …/retry")
	if _, err := orchestrator.Retry(ctx, stuck.ID, client.ActionOptions{Reason: "address corrected"}); err != nil {
		return err
	}
	return line.until(ctx, orchestrator, stuck.ID, saga.Completed)
}

// follow starts a saga for the order and shows its history until it has the wanted status.
func follow(
	ctx context.Context, orchestrator *client.Client, line *timeline, order Order, wanted saga.Status,
) (resource.Saga, error) {
	started, err := orderSaga().Start(ctx, orchestrator, order)
	if err != nil {
		return resource.Saga{}, fmt.Errorf("start the order %s: %w", order.OrderID, err)
	}
	return started, line.until(ctx, orchestrator, started.ID, wanted)
}
