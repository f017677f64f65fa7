package steps_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga/sagatest"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// A middleware logs every function of a saga. The saga runs in a test here.
func ExampleWithMiddleware() {
	logged := func(
		ctx context.Context, command steps.Command[json.RawMessage], next func(context.Context) (json.RawMessage, error),
	) (json.RawMessage, error) {
		output, err := next(ctx)
		fmt.Printf("%s, attempt %d: %s %v\n", command.Name, command.Attempt, output, err)
		return output, err
	}
	trip := steps.Define[Trip]("trip").Step("hotel", bookHotel, cancelHotel).Pivot("flight", bookFlight)

	t := &example{}
	test := sagatest.New(t, trip, steps.WithMiddleware(logged))
	test.Start(Trip{City: "Oslo", Budget: 30})
	t.end()
	// Output:
	// trip.hotel, attempt 1: {"hotel":"hotel in Oslo"} <nil>
	// trip.flight, attempt 1:  too_expensive: a flight costs 100
	// cancelled the hotel in Oslo
	// trip.hotel.compensate, attempt 1:  <nil>
}
