package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// embedded starts an orchestrator in this process, with the definition order. Its simulated workers succeed, unless the saga's data names an error.
func embedded() (c *client.Client, stop func()) {
	s, err := server.Open(context.Background(), server.Config{Listen: "127.0.0.1:0", Auth: "none", SimulateWorkers: true})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	transport := &http.Transport{}
	c = client.New(client.Config{Server: s.URL(), HTTP: &http.Client{Transport: transport}})
	if _, err := c.Register(ctx, orders()); err != nil {
		panic(err)
	}
	return c, func() {
		transport.CloseIdleConnections()
		cancel()
		running.Wait()
	}
}

// orders is the definition of the examples.
func orders() *saga.Definition {
	return saga.New("order").
		Step("charge", "payments.charge", saga.CompensatedBy("payments.refund")).
		Pivot("confirm", "orders.confirm").
		Retriable("receipt", "email.receipt", saga.Retry(saga.Attempts(1))).
		MustBuild()
}

func ExampleClient_Register() {
	c, stop := embedded() // usually: client.New(client.Config{Server: "https://sagas.example.com", Key: key})
	defer stop()
	ctx := context.Background()

	for range 2 { // registering the same definition again is safe, as at each start of a program
		definition, err := c.Register(ctx, orders())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(definition.Name, "version", definition.Version)
	}
	// Output:
	// order version 1
	// order version 1
}

func ExampleClient_Start() {
	c, stop := embedded()
	defer stop()
	ctx := context.Background()

	request := client.StartRequest{
		Definition:     "order",
		Data:           json.RawMessage(`{"orderId":"42","amount":40}`),
		IdempotencyKey: "order-42", // makes it safe to send the request twice
		Wait:           10 * time.Second,
	}
	started, err := c.Start(ctx, request)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range started.Steps {
		fmt.Println(step.Name, step.Status)
	}
	fmt.Println("saga", started.Status)
	// Output:
	// charge succeeded
	// confirm succeeded
	// receipt succeeded
	// saga completed
}

func ExampleClient_Watch() {
	c, stop := embedded()
	defer stop()
	ctx := context.Background()
	started, err := c.Start(ctx, client.StartRequest{
		Definition: "order",
		Data:       json.RawMessage(`{"simulate":{"confirm":"out_of_stock"}}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for state, err := range c.Watch(ctx, started.ID) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if state.Status.Terminal() {
			fmt.Println(state.Status, "because of", state.Failure.Code)
		}
	}
	// Output: compensated because of out_of_stock
}

// An operator finds a stuck saga, corrects its data and retries the exhausted step.
func ExampleClient_Retry() {
	c, stop := embedded()
	defer stop()
	ctx := context.Background()
	stuck, err := c.Start(ctx, client.StartRequest{
		Definition: "order", Data: json.RawMessage(`{"simulate":{"receipt":"bad_address"}}`), Wait: 10 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	why, err := c.Why(ctx, stuck.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(stuck.Status, why.Cause, *why.Step)

	// The revision keeps the patch from changing a saga that moved in the meantime.
	patch := json.RawMessage(`{"simulate":null,"email":"ada@example.com"}`)
	options := client.ActionOptions{Reason: "correct the address", Revision: stuck.Revision}
	if _, err := c.PatchData(ctx, stuck.ID, patch, options); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := c.Retry(ctx, stuck.ID, client.ActionOptions{Step: *why.Step, Reason: "address corrected"}); err != nil {
		fmt.Println(err)
		return
	}
	for state, err := range c.Watch(ctx, stuck.ID) {
		if err == nil && state.Status.Terminal() {
			fmt.Println(state.Status)
		}
	}
	// Output:
	// stuck retries_exhausted receipt
	// completed
}

func ExampleClient_Sagas() {
	c, stop := embedded()
	defer stop()
	ctx := context.Background()
	for _, region := range []string{"eu", "us", "eu"} {
		request := client.StartRequest{Definition: "order", Labels: map[string]string{"region": region}}
		if _, err := c.Start(ctx, request); err != nil {
			fmt.Println(err)
			return
		}
	}

	filter := client.Filter{Definition: new("order"), Labels: map[string]string{"region": "eu"}}
	list, err := c.Sagas(ctx, filter, client.Page{Limit: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(list.Items), "sagas in the EU")
	// Output: 2 sagas in the EU
}

func ExampleProblem() {
	c, stop := embedded()
	defer stop()

	_, err := c.Start(context.Background(), client.StartRequest{Definition: "unknown"})
	if problem, ok := errors.AsType[*client.Problem](err); ok {
		fmt.Println(problem.Status, problem.Code)
	}
	// Output: 404 definition_not_found
}

// Run starts a saga and waits for its end: the outcome is a value, or an error that names the failed step.
func ExampleClient_Run() {
	c, stop := embedded()
	defer stop()
	ctx := context.Background()

	for _, data := range []string{`{"amount":40}`, `{"simulate":{"confirm":"out_of_stock"}}`} {
		end, err := c.Run(ctx, client.StartRequest{Definition: "order", Data: json.RawMessage(data)})
		if failed, is := errors.AsType[*client.Failed](err); is {
			fmt.Println(end.Status, "because of", failed.Code, "in", failed.Step)
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(end.Status)
	}
	// Output:
	// completed
	// compensated because of out_of_stock in confirm
}

// StartTx starts a saga together with the order that it is about, or not at all.
func ExampleStartTx() {
	placeOrder := func(ctx context.Context, pool *pgxpool.Pool, orderID string) (sagaID string, err error) {
		err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `insert into shop.orders (id) values ($1)`, orderID); err != nil {
				return err
			}
			sagaID, err = client.StartTx(ctx, tx, client.StartRequest{
				Definition: "order", Data: json.RawMessage(`{"amount":40}`), IdempotencyKey: "order-" + orderID,
			})
			return err
		})
		return sagaID, err
	}
	_ = placeOrder // with a pool of the orchestrator's database
}
