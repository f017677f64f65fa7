package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// Transfer is the data of a saga.
type Transfer struct {
	Amount  int    `json:"amount"`
	Booking string `json:"booking,omitempty"`
}

func withdraw(_ context.Context, t *Transfer) error {
	t.Booking = fmt.Sprintf("withdrawal of %d", t.Amount)
	return nil
}

func payBack(context.Context, *Transfer) error { return nil }

func deposit(_ context.Context, t *Transfer) error {
	if t.Amount > 1000 {
		return steps.Fail("too_much", "the limit is 1000")
	}
	return nil
}

func transferSaga() *steps.Saga[Transfer] {
	return steps.Define[Transfer]("transfer").Step("withdraw", withdraw, payBack).Pivot("deposit", deposit)
}

// A program has an HTTP server of its own, which serves the orchestrator's page and API below /saga/ beside its own pages.
func ExampleServer_Handler() {
	orchestrator, err := server.Open(context.Background(), server.Config{NoListener: true, BasePath: "/saga", Auth: "none"})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/saga/", orchestrator.Handler())
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the shop") })
	own := httptest.NewServer(mux) // stands for the program's http.Server
	defer own.Close()

	transfers := transferSaga()
	stop := run(orchestrator, transfers.Serve)
	defer stop()
	c := client.New(client.Config{Server: own.URL + orchestrator.URL(), HTTP: own.Client()})
	if _, err := transfers.Register(context.Background(), c); err != nil {
		fmt.Println(err)
		return
	}
	done, err := transfers.Run(context.Background(), c, Transfer{Amount: 40})
	fmt.Println(done.Booking, err)
	_, err = transfers.Run(context.Background(), c, Transfer{Amount: 4000})
	if failed, compensated := errors.AsType[*client.Failed](err); compensated {
		fmt.Println(failed.Step, failed.Code)
	}
	// Output:
	// withdrawal of 40 <nil>
	// deposit too_much
}

// run runs an orchestrator and workers of this process until stop is called. The workers stop first.
func run(
	orchestrator *server.Server, serve func(context.Context, steps.Transport, ...steps.ServeOption) error,
) (stop func()) {
	serving, stopServing := context.WithCancel(context.Background())
	working, stopWorking := context.WithCancel(context.Background())
	var servers, workers sync.WaitGroup
	servers.Go(func() {
		if err := orchestrator.Run(serving); err != nil {
			fmt.Println("the orchestrator:", err)
		}
	})
	workers.Go(func() {
		if err := serve(working, orchestrator.Transport()); err != nil {
			fmt.Println("the workers:", err)
		}
	})
	return func() {
		stopWorking()
		workers.Wait()
		stopServing()
		servers.Wait()
	}
}
