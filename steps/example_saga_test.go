package steps_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// Trip is the data of a saga: what the caller gives, and what the steps add.
type Trip struct {
	City   string `json:"city"`
	Budget int    `json:"budget"`
	Hotel  string `json:"hotel,omitempty"`
	Flight string `json:"flight,omitempty"`
}

func bookHotel(_ context.Context, t *Trip) error {
	t.Hotel = "hotel in " + t.City
	return nil
}

func cancelHotel(_ context.Context, t *Trip) error {
	fmt.Println("cancelled the", t.Hotel)
	return nil
}

func bookFlight(_ context.Context, t *Trip) error {
	if t.Budget < 100 {
		return steps.Fail("too_expensive", "a flight costs 100")
	}
	t.Flight = "flight to " + t.City
	return nil
}

// A typed saga has each step's function and its compensation side by side.
func ExampleDefine() {
	trip := steps.Define[Trip]("trip").Deadline(time.Hour).
		Step("hotel", bookHotel, cancelHotel).
		Pivot("flight", bookFlight, saga.Timeout(10*time.Second))

	orchestrator, stop := embedded()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	working.Go(func() { _ = trip.Serve(ctx, orchestrator.Transport()) })

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := client.New(client.Config{Server: orchestrator.URL(), HTTP: &http.Client{Transport: transport}})
	if _, err := trip.Register(ctx, c); err != nil {
		fmt.Println(err)
		return
	}
	booked, err := trip.Run(ctx, c, Trip{City: "Rome", Budget: 300})
	fmt.Println(booked.Hotel, "and", booked.Flight, err)
	_, err = trip.Run(ctx, c, Trip{City: "Oslo", Budget: 30})
	if failed, ok := errors.AsType[*client.Failed](err); ok {
		fmt.Println(failed.Step, failed.Code)
	}
	// Output:
	// hotel in Rome and flight to Rome <nil>
	// cancelled the hotel in Oslo
	// flight too_expensive
}

// embedded runs an orchestrator in this process.
func embedded() (orchestrator *server.Server, stop func()) {
	orchestrator, err := server.Open(context.Background(), server.Config{Listen: "127.0.0.1:0", Auth: "none"})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = orchestrator.Run(ctx) })
	return orchestrator, func() {
		cancel()
		serving.Wait()
	}
}
