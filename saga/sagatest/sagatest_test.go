package sagatest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/sagatest"
	"github.com/saga-orchestrator/orchestrator/steps"
)

func TestAnOrderSucceeds(t *testing.T) {
	t.Parallel()
	s := &shop{}
	order := sagatest.New(t, s.order()).Start(Order{ID: "7", Amount: 40})
	order.Expect(saga.Completed)
	order.ExpectSteps("reserve", "charge", "confirm", "receipt")
	order.ExpectData(map[string]any{"orderId": "7", "amount": 40, "reservation": "r-7", "charge": "c-7"})
	assert.Equal(t, []string{"reserve", "charge", "confirm", "receipt"}, s.effects)
	var data Order
	order.Data(&data)
	assert.Equal(t, Order{ID: "7", Amount: 40, Reservation: "r-7", Charge: "c-7"}, data)
}

func TestTimePassesOnlyWhenTheTestSaysSo(t *testing.T) {
	t.Parallel()
	definition := saga.New("patient").Delay("nap", 72*time.Hour).WaitUntil("dawn", "/dawn").Step("work", "shop.work").MustBuild()
	test := sagatest.New(t, sagatest.Defined(definition))
	began := test.Now()
	patient := test.Start(map[string]any{"dawn": began.Add(100 * time.Hour)})
	patient.ExpectSteps()
	patient.Advance(72*time.Hour - time.Microsecond)
	patient.ExpectSteps()
	patient.Advance(time.Microsecond)
	patient.ExpectSteps("nap")
	patient.Settle()
	patient.Expect(saga.Completed)
	patient.ExpectSteps("nap", "dawn", "work")
	assert.Equal(t, began.Add(100*time.Hour), test.Now(), "Settle stops where the saga has ended")
	patient.Settle()
	assert.Equal(t, began.Add(100*time.Hour), test.Now())
}

func TestASagaStartsLater(t *testing.T) {
	t.Parallel()
	test := sagatest.New(t, (&shop{}).order())
	order := test.Start(Order{ID: "1", Amount: 1}, func(request *client.StartRequest) {
		request.StartAt, request.Key, request.Labels = test.Now().Add(time.Hour), "order-1", map[string]string{"shop": "a"}
	})
	order.Expect(saga.Scheduled)
	assert.Equal(t, "order-1", order.Saga().Key)
	assert.Equal(t, map[string]string{"shop": "a"}, order.Saga().Labels)
	order.Advance(time.Hour)
	order.Expect(saga.Completed)
}

// An attempt without a reply times out, is repeated, and may have taken effect.
func TestAReplyThatIsLostMakesAFunctionRunAgain(t *testing.T) {
	t.Parallel()
	s := &shop{}
	test := sagatest.New(t, s.order())
	test.Execute("charge", sagatest.LoseReply(), sagatest.Call())
	order := test.Start(Order{ID: "1", Amount: 40})
	order.Expect(saga.Running)
	order.Advance(9 * time.Second)
	assert.Equal(t, 1, s.count("charge"))
	order.Settle()
	order.Expect(saga.Completed)
	assert.Equal(t, 2, s.count("charge"), "there is no barrier")
}

// A reply can come within the time of its attempt, after it, and after the end of the saga.
func TestRepliesComeLate(t *testing.T) {
	t.Parallel()
	s := &shop{}
	test := sagatest.New(t, s.order())
	test.Execute("charge", sagatest.After(9*time.Second, sagatest.Call()))
	slow := test.Start(Order{ID: "1", Amount: 40})
	slow.Settle()
	slow.Expect(saga.Completed)
	assert.Equal(t, 9*time.Second, test.Now().Sub(slow.Saga().CreatedAt))

	test.Execute("charge", sagatest.After(10*time.Second+time.Millisecond, sagatest.Call()), sagatest.NoReply())
	slower := test.Start(Order{ID: "2", Amount: 40})
	slower.Settle()
	slower.Expect(saga.Completed)
	assert.Equal(t, 1, slower.Saga().Steps[1].Attempts, "the late success counts before the second attempt")

	test.Execute("charge", sagatest.After(time.Hour, sagatest.Call()), sagatest.Fail("closed", "the bank is closed"))
	late := test.Start(Order{ID: "3", Amount: 40})
	late.Settle()
	late.Expect(saga.Compensated)
	assert.Nil(t, late.Saga().Attention)
	test.Execute("charge", sagatest.Call())
	late.Advance(time.Hour)
	assert.Contains(t, late.Explain(), "step.late_effect")
}

func TestAnUnknownOutcomeIsCompensated(t *testing.T) {
	t.Parallel()
	s := &shop{}
	order := sagatest.New(t, s.order()).Start(Order{ID: "1", Amount: 13})
	order.Settle()
	order.Expect(saga.Compensated)
	order.ExpectSteps("reserve", "compensate charge", "compensate reserve")
	assert.Equal(t, []string{"reserve", "refund", "release r-1"}, s.effects)
}

func TestAnOperatorRepairsAStuckSaga(t *testing.T) {
	t.Parallel()
	s := &shop{}
	test := sagatest.New(t, s.order())
	test.Execute("confirm", sagatest.Unknown())
	order := test.Start(Order{ID: "1", Amount: 40})
	order.Settle()
	order.Expect(saga.Stuck)
	assert.Equal(t, saga.PivotUnknown, order.Saga().Attention.Reason)
	assert.Contains(t, order.Explain(), "an operator is needed: pivot_unknown")
	refusal := &saga.Refusal{}
	require.ErrorAs(t, order.Act(saga.Action{Name: saga.ActionResume, Reason: "it is not paused"}), &refusal)
	require.NoError(t, order.Act(saga.Action{Name: saga.ActionSkip, Step: "confirm", Reason: "confirmed by hand"}))
	order.Expect(saga.Completed)
	assert.Equal(t, []string{"reserve", "charge", "receipt"}, s.effects)
}

func TestRetriesAreExhausted(t *testing.T) {
	t.Parallel()
	order := sagatest.New(t, (&shop{}).order()).Start(Order{ID: "1"})
	order.Settle()
	order.Expect(saga.Compensated)
	assert.Equal(t, 3, order.Saga().Steps[1].Attempts)
	assert.Equal(t, "error", order.Saga().Failure.Code)
}

func TestACompensationIsRepeated(t *testing.T) {
	t.Parallel()
	s := &shop{}
	test := sagatest.New(t, s.order())
	test.Compensate("reserve", sagatest.NoReply(), sagatest.Retry("busy", "later"), sagatest.Call())
	order := test.Start(Order{ID: "1", Amount: 4000})
	order.Expect(saga.Compensating)
	order.Settle()
	order.Expect(saga.Compensated)
	assert.Equal(t, 1, s.count("release r-1"))
}

func TestThePauseOfAnOperatorEndsSettle(t *testing.T) {
	t.Parallel()
	definition := saga.New("patient").Delay("nap", time.Hour).Step("work", "shop.work").MustBuild()
	patient := sagatest.New(t, sagatest.Defined(definition)).Start(nil)
	require.NoError(t, patient.Act(saga.Action{Name: saga.ActionPause, Reason: "wait"}))
	patient.Settle()
	patient.Expect(saga.Paused)
	patient.Advance(2 * time.Hour)
	patient.Expect(saga.Paused)
	require.NoError(t, patient.Act(saga.Action{Name: saga.ActionResume, Reason: "go on"}))
	patient.Settle()
	patient.Expect(saga.Completed)
}

func TestSignalsMoveASaga(t *testing.T) {
	t.Parallel()
	definition := saga.New("trip").
		Step("hotel", "hotels.book", saga.CompensatedBy("hotels.cancel")).
		WaitForSignal("approval", "approve", saga.Timeout(time.Hour)).
		Pivot("flight", "flights.book").MustBuild()
	test := sagatest.New(t, sagatest.Defined(definition))
	trip := test.Start(nil)
	trip.Settle()
	trip.Expect(saga.Running)
	trip.ExpectSteps("hotel")
	assert.Contains(t, trip.Explain(), "step approval waits for its signal until 1h0m0s")
	trip.FailSignal("approve", "refused", "over budget")
	trip.Expect(saga.Compensated)
	assert.Equal(t, "refused", trip.Saga().Failure.Code)

	early := test.Start(nil, func(request *client.StartRequest) { request.StartAt = test.Now().Add(time.Minute) })
	early.Signal("approve", nil)
	early.Settle()
	early.ExpectSteps("hotel", "approval", "flight")
}

func TestAChildIsPartOfTheTest(t *testing.T) {
	t.Parallel()
	s := &shop{}
	holiday := saga.New("holiday").
		Child("order", "order", saga.OutputAs("order")).
		Step("pack", "home.pack", saga.CompensatedBy("home.unpack"), saga.AtOnce()).
		Child("trip", "trip", saga.After("order", "pack"))
	trip := saga.New("trip").WaitForSignal("approval", "approve").Step("hotel", "hotels.book").MustBuild()
	shopping := steps.Define[Order]("order").Step("reserve", s.reserve, s.release).Step("charge", s.charge, s.refund)

	test := sagatest.New(t, holiday)
	test.Add(shopping)
	test.Add(sagatest.Defined(trip))
	test.Execute("order/charge", sagatest.Retry("busy", "later"), sagatest.Call())
	test.Execute("trip/hotel", sagatest.Fail("full", "no room"))
	run := test.Start(Order{ID: "1", Amount: 40})
	run.Settle()
	run.ExpectSteps("pack", "order")
	child := run.Child("trip")
	child.Expect(saga.Running)
	child.Signal("approve", nil)
	run.Settle()
	run.Expect(saga.Compensated)
	run.ExpectSteps("pack", "order", "compensate pack", "compensate order") // beside each other
	run.Child("order").ExpectSteps("reserve", "charge", "compensate charge", "compensate reserve")
}

// Two runs of a test have the same ids and the same times of retries.
func TestRunsOfATestAreTheSame(t *testing.T) {
	t.Parallel()
	explain := func() string {
		test := sagatest.New(t, (&shop{}).order())
		test.Execute("receipt", sagatest.Retry("busy", "later"))
		order := test.Start(Order{ID: "1", Amount: 40})
		order.Settle()
		order.Expect(saga.Stuck)
		return order.Saga().ID + order.Explain()
	}
	first, second := explain(), explain()
	assert.Equal(t, first, second)
}
