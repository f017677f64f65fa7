package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// orderSagaTx is the order saga of services with a database. Its functions take the transaction in which the barrier records
// that their command was handled, so that their effect happens exactly once. The definition is the same.
func orderSagaTx() *steps.Saga[Order] {
	return steps.Define[Order]("order").Deadline(24*time.Hour).
		StepTx("reserve-inventory", noted("inventory", reserve), noted("inventory", release),
			saga.CommandName("inventory.reserve"), saga.CompensatedBy("inventory.release")).
		StepTx("charge-payment", noted("payments", charge), noted("payments", refund),
			saga.CommandName("payments.charge"), saga.CompensatedBy("payments.refund")).
		PivotTx("confirm-order", noted("orders", confirm), saga.CommandName("orders.confirm")).
		RetriableTx("send-receipt", noted("orders", sendReceipt), saga.CommandName("email.receipt"), saga.OnQueue("orders"),
			saga.Retry(saga.Attempts(3), saga.Backoff(100*time.Millisecond, 2, time.Second)))
}

// noted returns a function that also writes a line into the ledger of its service. Both commit, or neither.
func noted(service string, call func(context.Context, *Order) error) func(context.Context, pgx.Tx, *Order) error {
	return func(ctx context.Context, tx pgx.Tx, o *Order) error {
		if err := call(ctx, o); err != nil {
			return err
		}
		command, _ := steps.CommandOf(ctx)
		_, err := tx.Exec(ctx, `insert into order_saga_ledger (service, saga_id, step, action, line) values ($1, $2, $3, $4, $5)`,
			service, command.SagaID, command.Step, string(command.Action), line(command.Name, o))
		if err != nil {
			return fmt.Errorf("write the ledger of %s: %w", service, err)
		}
		return nil
	}
}
