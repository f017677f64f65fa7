package main

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// orderSaga returns the definition: the steps, their order, and the compensation of each. Up to confirm-order every step can
// be compensated. After the order is confirmed, the receipt must be sent.
func orderSaga() *saga.Definition {
	return saga.New("order").
		Describe("reserve the goods, charge the card, confirm the order, send the receipt").
		Deadline(24*time.Hour).
		Step("reserve-inventory", "inventory.reserve", saga.CompensatedBy("inventory.release")).
		Step("charge-payment", "payments.charge", saga.CompensatedBy("payments.refund"),
			saga.Retry(saga.Attempts(5), saga.NonRetryable("card_declined"))).
		Pivot("confirm-order", "orders.confirm").
		Retriable("send-receipt", "email.receipt", saga.OnQueue("orders"),
			saga.Retry(saga.Attempts(3), saga.Backoff(100*time.Millisecond, 2, time.Second))).
		MustBuild()
}

// Order is the saga's data: the customer's order, and what the steps have added to it.
type Order struct {
	OrderID       string `json:"orderId"`
	Item          string `json:"item"`
	Amount        int    `json:"amount"`
	Card          string `json:"card"`
	Email         string `json:"email"`
	ReservationID string `json:"reservationId,omitempty"`
	PaymentID     string `json:"paymentId,omitempty"`
}
