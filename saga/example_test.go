package saga_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func ExampleNew() {
	order := saga.New("order").
		Step("reserve", "inventory.reserve", saga.CompensatedBy("inventory.release")).
		Pivot("charge", "payments.charge", saga.Retry(saga.Attempts(3), saga.NonRetryable("card_declined"))).
		Retriable("receipt", "email.receipt").
		MustBuild()
	for _, step := range order.Steps {
		fmt.Println(step.Name, step.Kind, "on queue", step.Queue)
	}
	// Output:
	// reserve compensatable on queue inventory
	// charge pivot on queue payments
	// receipt retriable on queue email
}

func ExampleDefinition_MarshalJSON() {
	ping := saga.New("ping").Step("ping", "demo.ping").MustBuild()
	body, _ := json.MarshalIndent(ping, "", " ") // a definition without faults never fails to marshal
	fmt.Println(string(body))
	// Output:
	// {
	//  "steps": [
	//   {
	//    "name": "ping",
	//    "queue": "demo",
	//    "command": "demo.ping",
	//    "kind": "compensatable",
	//    "after": [],
	//    "timeout": "30s",
	//    "retry": {
	//     "max_attempts": 5,
	//     "initial_interval": "1s",
	//     "multiplier": 2,
	//     "max_interval": "1m0s",
	//     "jitter": 0.2
	//    }
	//   }
	//  ]
	// }
}

// Steps after the same step run in parallel, and a step may wait for several.
func ExampleAfter() {
	trip := saga.New("trip").
		Step("hotel", "hotels.book").
		Step("flight", "flights.book", saga.AtOnce()).
		Step("confirm", "mail.send", saga.After("hotel", "flight")).
		MustBuild()
	decision, err := trip.Start(saga.Start{ID: "trip-1", At: time.Now()})
	for _, command := range decision.Commands {
		fmt.Println(command.ID, err)
	}
	// Output:
	// trip-1/hotel/execute/1 <nil>
	// trip-1/flight/execute/1 <nil>
}

func ExampleParseDefinition_faults() {
	_, err := saga.ParseDefinition("order", 0, []byte(`{"steps": [
		{"name": "charge", "command": "payments.charge", "timeout": "0s"},
		{"name": "ship", "command": "shipping.ship", "after": ["pack"]}
	]}`))
	faults, _ := errors.AsType[saga.Faults](err)
	for _, fault := range faults {
		fmt.Println(fault.Pointer, fault.Message)
	}
	// Output:
	// /steps/0/timeout must be 1ms to 8760h0m0s
	// /steps/1/after/0 names a step that does not exist
}

// A caller of Transition stores each decision, sends its commands, and reports replies as events.
func ExampleDefinition_Transition() {
	order := saga.New("order").
		Step("reserve", "inventory.reserve", saga.CompensatedBy("inventory.release")).
		Step("charge", "payments.charge").
		MustBuild()
	now := time.Now()
	decision, err := order.Start(saga.Start{ID: "order-1", At: now})
	for _, succeeded := range []bool{true, false, true} {
		if err != nil {
			fmt.Println(err)
			return
		}
		command := decision.Commands[0]
		fmt.Println(decision.Next.Status, command.Name)
		reply := saga.Reply{Command: command.ID, Succeeded: succeeded}
		if !succeeded {
			reply.Error = &saga.ReplyError{Code: "card_declined", Message: "insufficient funds"}
		}
		decision, err = order.Transition(decision.Next, saga.Event{At: now, Cause: reply})
	}
	fmt.Println(decision.Next.Status, decision.Next.Failure.Code)
	// Output:
	// running inventory.reserve
	// running payments.charge
	// compensating inventory.release
	// compensated card_declined
}

// A late or duplicate event changes nothing, and the decision has the reason.
func ExampleDecision_ignored() {
	ping := saga.New("ping").Step("ping", "demo.ping").MustBuild()
	now := time.Now()
	started, _ := ping.Start(saga.Start{ID: "ping-1", At: now})
	reply := saga.Event{At: now, Cause: saga.Reply{Command: started.Commands[0].ID, Succeeded: true}}
	first, _ := ping.Transition(started.Next, reply)
	second, err := ping.Transition(first.Next, reply)
	fmt.Println(first.Next.Status, second.Changed, second.Ignored, err)
	// Output: completed false repeated: the step has been answered before <nil>
}
