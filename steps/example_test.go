package steps_test

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

type Order struct {
	ID     string `json:"orderId"`
	Amount int    `json:"amount"`
}

type Charge struct {
	ID string `json:"chargeId"`
}

// A worker for the queue payments handles a command and its compensation.
func Example() {
	worker := steps.NewWorker("payments", steps.Config{Concurrency: 8})
	steps.Handle(worker, "payments.charge", func(ctx context.Context, cmd steps.Command[Order]) (Charge, error) {
		return Charge{ID: "charge of order " + cmd.Data.ID}, nil
	})
	steps.Handle(worker, "payments.refund", func(ctx context.Context, cmd steps.Command[Order]) (steps.None, error) {
		var charge Charge
		if known, err := cmd.DecodeOutput(&charge); err != nil || !known {
			return steps.None{}, err // look for the charge by cmd.IdempotencyKey
		}
		fmt.Println("refund the", charge.ID)
		return steps.None{}, nil
	})

	// A service calls worker.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: url})). This broker is in the process.
	ctx, stop := context.WithCancel(context.Background())
	broker := local.New()
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx, broker) }()
	ask(broker, "payments.charge", saga.Execute, `{"data":{"orderId":"42"}}`)
	ask(broker, "payments.refund", saga.Compensate, `{"data":{"orderId":"42"},"output":{"chargeId":"charge of order 42"}}`)
	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// {"status":"succeeded","output":{"chargeId":"charge of order 42"}}
	// refund the charge of order 42
	// {"status":"succeeded"}
	// ended: <nil>
}

// Fail ends the step's attempts. The orchestrator does not compensate it, since nothing took effect.
func ExampleFail() {
	charge := func(_ context.Context, cmd steps.Command[Order]) (Charge, error) {
		if cmd.Data.Amount > 100 {
			return Charge{}, steps.Fail("card_declined", "insufficient funds")
		}
		return Charge{ID: "c-1"}, nil
	}
	broker, stop := serve(charge)
	defer stop()
	ask(broker, "payments.charge", saga.Execute, `{"data":{"amount":120}}`)
	// Output: {"status":"failed","error":{"code":"card_declined","message":"insufficient funds","retryable":false}}
}

// After Retry, the step's policy decides when the next attempt comes.
func ExampleRetry() {
	charge := func(_ context.Context, cmd steps.Command[Order]) (Charge, error) {
		return Charge{}, steps.Retry("bank_busy", "try again later")
	}
	broker, stop := serve(charge)
	defer stop()
	ask(broker, "payments.charge", saga.Execute, `{"data":{}}`)
	// Output: {"status":"failed","error":{"code":"bank_busy","message":"try again later","retryable":true}}
}

// After ErrUnknown the worker sends no reply: the command becomes a dead letter, and the attempt's outcome is unknown.
func ExampleErrUnknown() {
	charge := func(_ context.Context, cmd steps.Command[Order]) (Charge, error) {
		return Charge{}, fmt.Errorf("the bank did not answer: %w", steps.ErrUnknown)
	}
	broker, stop := serve(charge)
	defer stop()
	send(broker, "payments.charge", saga.Execute, `{"data":{}}`)
	ctx, cancel := context.WithCancel(context.Background())
	broker.ConsumeDead(ctx, func(letter wire.Message, settle func(bool)) {
		settle(true)
		fmt.Println("dead letter:", letter.CorrelationID)
		cancel()
	})
	// Output: dead letter: 01JD/charge-payment/execute/1
}

// The handler's work commits together with the record that it was done, so a repeated command has one effect.
func ExampleHandleTx() {
	ctx := context.Background()
	pool, drop := chargesDatabase()
	defer drop()
	barrier := steps.NewBarrier(pool)
	if err := barrier.Install(ctx); err != nil { // or barrier.sql among the service's migrations
		panic(err)
	}
	worker := steps.NewWorker("payments", steps.Config{})
	steps.HandleTx(worker, barrier, "payments.charge",
		func(ctx context.Context, tx pgx.Tx, cmd steps.Command[Order]) (Charge, error) {
			_, err := tx.Exec(ctx, "INSERT INTO charges (order_id) VALUES ($1)", cmd.Data.ID)
			return Charge{ID: "c-1"}, err
		})
	broker, stop := run(worker)
	defer stop()
	for range 2 {
		ask(broker, "payments.charge", saga.Execute, `{"data":{"orderId":"42"}}`)
	}
	var charges int
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM charges").Scan(&charges); err != nil {
		panic(err)
	}
	fmt.Println("charges:", charges)
	// Output:
	// {"status":"succeeded","output":{"chargeId":"c-1"}}
	// {"status":"succeeded","output":{"chargeId":"c-1"}}
	// charges: 1
}

// serve runs a worker with one handler.
func serve(charge func(context.Context, steps.Command[Order]) (Charge, error)) (*local.Broker, func()) {
	worker := steps.NewWorker("payments", steps.Config{})
	steps.Handle(worker, "payments.charge", charge)
	return run(worker)
}

func run(worker *steps.Worker) (broker *local.Broker, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	broker = local.New()
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx, broker) }()
	return broker, func() {
		cancel()
		if err := <-ended; err != nil {
			panic(err)
		}
	}
}

// send sends a command as the orchestrator does.
func send(broker *local.Broker, name string, direction saga.Direction, body string) {
	_ = broker.DeclareQueues(context.Background(), []string{"payments"})
	broker.Publish(context.Background(), []wire.Command{{
		ID:   saga.CommandID{Saga: "01JD", Step: "charge-payment", Direction: direction, Round: 1, Attempt: 1},
		Name: name, Queue: "payments", Timeout: time.Minute, Body: []byte(body),
	}}, nil)
}

// ask sends a command and prints the reply.
func ask(broker *local.Broker, name string, direction saga.Direction, body string) {
	send(broker, name, direction, body)
	ctx, cancel := context.WithCancel(context.Background())
	broker.ConsumeReplies(ctx, func(reply wire.Message, settle func(bool)) {
		settle(true)
		fmt.Println(string(reply.Body))
		cancel()
	})
}
