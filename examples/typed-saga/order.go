package main

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

type Order struct {
	ID          string `json:"orderId"`
	Item        string `json:"item"`
	Amount      int    `json:"amount"`
	Reservation string `json:"reservation,omitempty"` // set by the first step
	Charge      string `json:"charge,omitempty"`      // set by the second
}

func reserve(_ context.Context, o *Order) error { o.Reservation = "r-" + o.ID; return nil }
func release(_ context.Context, o *Order) error { return nil } // o.Reservation is what reserve has set
func charge(_ context.Context, o *Order) error {
	if o.Amount > 1000 {
		return steps.Fail("card_declined", "insufficient funds")
	}
	o.Charge = "c-" + o.ID
	return nil
}
func refund(_ context.Context, o *Order) error  { return nil }
func confirm(_ context.Context, o *Order) error { return nil }
func receipt(_ context.Context, o *Order) error { return nil }

func orderSaga() *steps.Saga[Order] {
	return steps.Define[Order]("order").
		Step("reserve-inventory", reserve, release).
		Step("charge-payment", charge, refund, saga.Retry(saga.Attempts(5))).
		Pivot("confirm-order", confirm).
		Retriable("send-receipt", receipt)
}
