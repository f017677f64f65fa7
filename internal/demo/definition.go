package demo

import (
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	definitionName = "order"
	// marks is how the description of every definition of a demo begins, that of dev --simulate, too.
	marks = "the demo of dev --"
)

// Order is the data of an order: the customer's order, and what the steps have added to it.
type Order struct {
	OrderID       string `json:"orderId"`
	Item          string `json:"item"`
	Amount        int    `json:"amount"`
	Card          string `json:"card"`
	Email         string `json:"email"`
	RefundTo      string `json:"refundTo,omitempty"` // an account for refunds, if the card takes none
	ReservationID string `json:"reservationId,omitempty"`
	RiskScore     int    `json:"riskScore,omitempty"`
	PaymentID     string `json:"paymentId,omitempty"`
	Parcel        string `json:"parcel,omitempty"`
}

// Definition returns the definition of the orders. The attempts follow each other quickly, so that a viewer sees them.
func Definition() *saga.Definition {
	soon := func(attempts int) saga.StepOption {
		return saga.Retry(saga.Attempts(attempts), saga.Backoff(250*time.Millisecond, 2, 2*time.Second))
	}
	return saga.New(definitionName).
		Describe(marks+"demo: reserve the goods and check for fraud, charge the card, confirm, then send the receipt and the parcel").
		Deadline(24*time.Hour).
		Step("reserve-inventory", "inventory.reserve", saga.AtOnce(), saga.CompensatedBy("inventory.release"),
			saga.Retry(saga.Attempts(6), saga.Backoff(15*time.Second, 4, 20*time.Minute))).
		Step("check-fraud", "fraud.check", saga.AtOnce()).
		Step("charge-payment", "payments.charge", saga.After("reserve-inventory", "check-fraud"), saga.CompensatedBy("payments.refund"),
			saga.Timeout(5*time.Second),
			saga.Retry(saga.Attempts(4), saga.Backoff(500*time.Millisecond, 2, 4*time.Second), saga.NonRetryable("card_declined")),
			saga.CompensationRetry(saga.Attempts(3), saga.Backoff(250*time.Millisecond, 2, 2*time.Second))).
		Pivot("confirm-order", "orders.confirm", saga.Timeout(5*time.Second), soon(2)).
		Retriable("send-receipt", "email.receipt", saga.After("confirm-order"), soon(3)).
		Retriable("ship-parcel", "shipping.ship", saga.After("confirm-order"), soon(5)).
		MustBuild()
}

// ours reports whether a definition comes from a demo, of this or an earlier version of the program.
func ours(d *saga.Definition) bool { return strings.HasPrefix(d.Description, marks) }
