// Package sagatest tests sagas without servers and without waiting: the orchestrator's own engine runs over a store in
// memory, by a clock that only the test moves.
//
//	func TestADeclinedCardReleasesTheReservation(t *testing.T) {
//		test := sagatest.New(t, orderSaga())
//		test.Execute("charge-payment", sagatest.Fail("card_declined", "insufficient funds"))
//		order := test.Start(Order{ID: "1", Item: "teapot"})
//		order.Expect(saga.Compensated)
//		order.ExpectSteps("reserve-inventory", "compensate reserve-inventory")
//	}
//
// A test gives a typed saga, whose functions are called, or any definition, whose steps succeed without an output. Outcomes
// of single attempts can be scripted in both cases: failures, unknown outcomes, replies that come late or never.
//
// Everything happens in the goroutine of the test. A Run stands still when only time, a signal or an operator can move it:
// Advance and Settle let time pass, Signal and Act do the rest. Ids, times and the jitter of retries are the same in every
// run of a test. A failed expectation shows the history of the saga and what it waits for.
//
// Functions get no deadline, because the time of an attempt is that of the test's clock. An attempt whose reply does not
// come times out when Advance or Settle passes its timeout.
package sagatest
