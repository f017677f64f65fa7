package steps_test

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

type ChargeInput struct {
	OrderID string `json:"orderId"`
	Amount  int    `json:"amount"`
}

type ChargeOutput struct {
	ChargeID string `json:"chargeId"`
}

// A worker that serves the queue payments: two commands, the second of which undoes the first.
func Example() {
	worker := steps.NewWorker("payments", steps.Config{Concurrency: 8})
	steps.Handle(worker, "payments.charge", func(ctx context.Context, cmd steps.Command[ChargeInput]) (ChargeOutput, error) {
		if cmd.Data.Amount > 100 {
			return ChargeOutput{}, steps.Fail("card_declined", "insufficient funds")
		}
		return ChargeOutput{ChargeID: "charge of order " + cmd.Data.OrderID}, nil
	})
	steps.Handle(worker, "payments.refund", func(ctx context.Context, cmd steps.Command[ChargeInput]) (steps.None, error) {
		var charge ChargeOutput
		if known, err := cmd.DecodeOutput(&charge); err != nil || !known {
			return steps.None{}, err // look for the charge by cmd.IdempotencyKey
		}
		fmt.Println("refund the", charge.ChargeID)
		return steps.None{}, nil
	})

	// In a service: worker.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: url})). Here, a broker in the process.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	broker := local.New()
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx, broker) }()
	ask(ctx, broker, "payments.charge", saga.Execute, `{"data":{"orderId":"42","amount":80}}`)
	ask(ctx, broker, "payments.charge", saga.Execute, `{"data":{"orderId":"43","amount":120}}`)
	ask(ctx, broker, "payments.refund", saga.Compensate,
		`{"data":{"orderId":"42","amount":80},"output":{"chargeId":"charge of order 42"}}`)
	cancel()
	fmt.Println("ended:", <-ended)
	// Output:
	// {"status":"succeeded","output":{"chargeId":"charge of order 42"}}
	// {"status":"failed","error":{"code":"card_declined","message":"insufficient funds","retryable":false}}
	// refund the charge of order 42
	// {"status":"succeeded"}
	// ended: <nil>
}

// With a barrier, what a handler does in its transaction takes effect once, however often the command is delivered.
func ExampleHandleTx() {
	register := func(pool *pgxpool.Pool) *steps.Worker {
		worker := steps.NewWorker("payments", steps.Config{})
		barrier := steps.NewBarrier(pool) // barrier.Install(ctx) once, or barrier.sql among the service's migrations
		steps.HandleTx(worker, barrier, "payments.charge",
			func(ctx context.Context, tx pgx.Tx, cmd steps.Command[ChargeInput]) (ChargeOutput, error) {
				_, err := tx.Exec(ctx, "INSERT INTO charges (order_id, amount) VALUES ($1, $2)", cmd.Data.OrderID, cmd.Data.Amount)
				return ChargeOutput{ChargeID: cmd.Data.OrderID}, err
			})
		steps.HandleTx(worker, barrier, "payments.refund",
			func(ctx context.Context, tx pgx.Tx, cmd steps.Command[ChargeInput]) (steps.None, error) {
				_, err := tx.Exec(ctx, "DELETE FROM charges WHERE order_id = $1", cmd.Data.OrderID)
				return steps.None{}, err
			})
		return worker
	}
	fmt.Println(register(nil) != nil)
	// Output: true
}

// ask does what the orchestrator does: it sends a command and reads the reply.
func ask(ctx context.Context, broker *local.Broker, name string, direction saga.Direction, body string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = broker.DeclareQueues(ctx, []string{"payments"})
	broker.Publish(ctx, []wire.Command{{
		ID:   saga.CommandID{Saga: "01JD", Step: "charge-payment", Direction: direction, Round: 1, Attempt: 1},
		Name: name, Queue: "payments", Timeout: time.Minute, Body: []byte(body),
	}}, nil)
	broker.ConsumeReplies(ctx, func(reply wire.Message, settle func(bool)) {
		settle(true)
		fmt.Println(string(reply.Body))
		cancel()
	})
}
