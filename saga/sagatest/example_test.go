package sagatest_test

import (
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/sagatest"
)

// In a test, t is its *testing.T.
func Example() {
	t := &printed{}
	defer t.end()

	s := &shop{}
	test := sagatest.New(t, s.order()) // runs the functions of a typed saga
	order := test.Start(Order{ID: "1", Amount: 4000})
	order.Expect(saga.Compensated)
	order.ExpectSteps("reserve", "compensate reserve")
	order.ExpectData(Order{ID: "1", Amount: 4000, Reservation: "r-1"})
	fmt.Println(s.effects)
	// Output: [reserve release r-1]
}

// Outcomes of attempts are scripted, and time passes only when the test says so.
func Example_outcomes() {
	t := &printed{}
	defer t.end()

	s := &shop{}
	test := sagatest.New(t, s.order())
	test.Execute("charge", sagatest.NoReply(), sagatest.Retry("busy", "try later"), sagatest.Call())
	order := test.Start(Order{ID: "1", Amount: 40})
	fmt.Println(order.Status(), order.Steps())

	order.Advance(10 * time.Second) // the timeout of the first attempt
	order.Settle()
	fmt.Println(order.Status(), order.Steps(), "within a minute:", test.Now().Sub(order.Saga().CreatedAt) < time.Minute)
	// Output:
	// running [reserve]
	// completed [reserve charge confirm receipt] within a minute: true
}

// A definition without functions: its steps succeed, or do what the test says.
func ExampleDefined() {
	t := &printed{}
	defer t.end()

	definition := saga.New("trip").
		Step("hotel", "hotels.book", saga.CompensatedBy("hotels.cancel")).
		WaitForSignal("approval", "approve", saga.Timeout(time.Hour)).
		Pivot("flight", "flights.book").
		MustBuild()
	test := sagatest.New(t, sagatest.Defined(definition))
	test.Execute("hotel", sagatest.Succeed(map[string]string{"hotel": "Grand"}))

	approved := test.Start(nil)
	approved.Signal("approve", map[string]string{"by": "Grace"})
	approved.Expect(saga.Completed)
	fmt.Println(string(approved.Saga().Data))

	late := test.Start(nil)
	late.Advance(2 * time.Hour)
	late.Expect(saga.Compensated)
	fmt.Println(late.Steps())
	// Output:
	// {"by":"Grace","hotel":"Grand"}
	// [hotel compensate hotel]
}

// A failed expectation explains itself.
func ExampleRun_Expect() {
	t := &printed{}
	defer t.end()

	test := sagatest.New(t, (&shop{}).order())
	test.Execute("receipt", sagatest.Retry("mail_down", "no route to the mail server"))
	order := test.Start(Order{ID: "1", Amount: 40})
	order.Advance(time.Second)
	order.Expect(saga.Completed)
	// Output:
	// FAIL: the saga is running, want completed
	// saga of order, running after 1s:
	//           0s  saga.started
	//           0s  step.dispatched reserve, attempt 1
	//           0s  step.succeeded reserve, attempt 1
	//           0s  step.dispatched charge, attempt 1
	//           0s  step.succeeded charge, attempt 1
	//           0s  step.dispatched confirm, attempt 1
	//           0s  step.succeeded confirm, attempt 1
	//           0s  step.dispatched receipt, attempt 1
	//           0s  step.attempt_failed receipt, attempt 1, code: mail_down, message: no route to the mail server
	//        898ms  step.dispatched receipt, attempt 2
	//        898ms  step.attempt_failed receipt, attempt 2, code: mail_down, message: no route to the mail server
	// step receipt is tried again at 3.241s
	// data: {"amount":40,"charge":"c-1","orderId":"1","reservation":"r-1"}
}
