package main

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

type Order struct {
	OrderID       string `json:"orderId"`
	Item          string `json:"item"`
	Amount        int    `json:"amount"`
	Card          string `json:"card"`
	Email         string `json:"email"`
	ReservationID string `json:"reservationId,omitempty"` // set by the first step
	PaymentID     string `json:"paymentId,omitempty"`     // set by the second
}

func reserve(_ context.Context, o *Order) error { o.ReservationID = "r-" + o.OrderID; return nil }
func release(_ context.Context, o *Order) error { return nil } // o.ReservationID is what reserve has set
func charge(_ context.Context, o *Order) error {
	if o.Card == declinedCard {
		return steps.Fail("card_declined", "insufficient funds")
	}
	o.PaymentID = "p-" + o.OrderID
	return nil
}
func refund(_ context.Context, o *Order) error { return nil }

func orderSaga() *steps.Saga[Order] {
	return steps.Define[Order]("order").Deadline(24*time.Hour).
		Step("reserve-inventory", reserve, release, saga.CommandName("inventory.reserve"), saga.CompensatedBy("inventory.release")).
		Step("charge-payment", charge, refund, saga.CommandName("payments.charge"), saga.CompensatedBy("payments.refund")).
		Pivot("confirm-order", confirm, saga.CommandName("orders.confirm")).
		Retriable("send-receipt", sendReceipt, saga.CommandName("email.receipt"), saga.OnQueue("orders"),
			saga.Retry(saga.Attempts(3), saga.Backoff(100*time.Millisecond, 2, time.Second)))
}
