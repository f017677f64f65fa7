// Command typed-saga runs the order saga of the README in one process: the orchestrator, the workers, and two orders.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "typed-saga:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	order := orderSaga()
	orchestrator, err := server.Open(ctx, server.Config{Listen: "127.0.0.1:0", Auth: "none"})
	if err != nil {
		return err
	}
	serving, stopServing := context.WithCancel(ctx)
	working, stopWorking := context.WithCancel(ctx)
	var servers, workers sync.WaitGroup
	defer servers.Wait()
	defer stopServing()
	defer workers.Wait() // the workers stop before the server
	defer stopWorking()
	servers.Go(func() { _ = orchestrator.Run(serving) }) // it ends with this process
	workers.Go(func() { _ = order.Serve(working, orchestrator.Transport()) })

	c := client.New(client.Config{Server: orchestrator.URL()})
	if _, err := order.Register(ctx, c); err != nil {
		return err
	}
	for _, placed := range []Order{{ID: "1", Item: "teapot", Amount: 40}, {ID: "2", Item: "piano", Amount: 9000}} {
		done, err := order.Run(ctx, c, placed)
		fmt.Printf("order %s: reservation %q, charge %q, error: %v\n", placed.ID, done.Reservation, done.Charge, err)
	}
	return nil
}
