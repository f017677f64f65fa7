package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// A program embeds an orchestrator, with its state in memory and a worker in the same process.
func Example() {
	orchestrator, err := server.Open(context.Background(), server.Config{Listen: "127.0.0.1:0", Auth: "none"})
	if err != nil {
		fmt.Println(err)
		return
	}
	serving, stopServing := context.WithCancel(context.Background())
	working, stopWorking := context.WithCancel(context.Background())
	var servers, workers sync.WaitGroup
	defer servers.Wait()
	defer stopServing()
	defer workers.Wait() // the worker stops before the server
	defer stopWorking()
	servers.Go(func() { _ = orchestrator.Run(serving) })

	type payment struct {
		Amount int `json:"amount"`
	}
	type receipt struct {
		Charged int `json:"charged"`
	}
	worker := steps.NewWorker("payments", steps.Config{})
	steps.Handle(worker, "payments.charge", func(_ context.Context, cmd steps.Command[payment]) (receipt, error) {
		return receipt{Charged: cmd.Data.Amount}, nil
	})
	workers.Go(func() { _ = worker.Run(working, orchestrator.Transport()) })

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := client.New(client.Config{Server: orchestrator.URL(), HTTP: &http.Client{Transport: transport}})
	if _, err := c.Register(serving, saga.New("pay").Step("charge", "payments.charge").MustBuild()); err != nil {
		fmt.Println(err)
		return
	}
	paid, err := c.Start(serving, client.StartRequest{
		Definition: "pay", Data: json.RawMessage(`{"amount":40}`), Wait: 10 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(paid.Status, string(paid.Data))
	// Output: completed {"amount":40,"charged":40}
}

// Validate reports faults before anything is opened.
func ExampleConfig_Validate() {
	config := server.Config{Listen: "127.0.0.1:0", Auth: "none", File: "orchestrator.db", SimulateWorkers: true}
	fmt.Println(config.Validate())
	config.DatabaseURL = "postgres://localhost/orchestrator"
	fmt.Println(config.Validate())
	// Output:
	// <nil>
	// only one of the database URL and the AMQP URL is set: set both, or neither for an embedded orchestrator
}
