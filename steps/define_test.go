package steps_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

func nothing(context.Context, *Trip) error { return nil }

func nothingInTx(context.Context, pgx.Tx, *Trip) error { return nil }

// A typed saga can say all that JSON can say.
func TestATypedSagaMakesTheDefinitionOfTheBuilder(t *testing.T) {
	t.Parallel()
	schema := json.RawMessage(`{"type":"object"}`)
	options := []saga.StepOption{
		saga.Timeout(9 * time.Second), saga.Retry(saga.Attempts(7), saga.NonRetryable("no")), saga.CompensationTimeout(time.Minute),
		saga.CompensationRetry(saga.Attempts(3)), saga.When("data.budget > 1"), saga.Input(map[string]saga.Pointer{"city": "/city"}),
		saga.OutputSchema(schema), saga.OnQueue("hotels"), saga.AtOnce(),
	}
	retention := saga.Retention{Completed: saga.RetentionRule{Count: 5}}
	typed := steps.Define[Trip]("trip").Describe("a trip").Deadline(time.Hour).OnFailure(saga.Park).Retain(retention).
		Sensitive("/city").DataSchema(schema).
		Step("hotel", nothing, nothing, options...).
		StepTx("car", nothingInTx, nil, saga.AtOnce()).
		WaitForSignal("approval", "approve", saga.OutputAs("approval"), saga.After("hotel", "car"), saga.Timeout(time.Hour)).
		Delay("breath", time.Second).
		WaitUntil("dawn", "/departure").
		Child("ship", "shipping", saga.OutputAs("shipment")).
		Pivot("flight", nothing, saga.CommandName("airline.book")).
		Retriable("mail", nil, saga.CommandName("mail.send"))
	plain := saga.New("trip").Describe("a trip").Deadline(time.Hour).OnFailure(saga.Park).Retain(retention).
		Sensitive("/city").DataSchema(schema).
		Step("hotel", "trip.hotel", append(options, saga.CompensatedBy("trip.hotel.compensate"))...).
		Step("car", "trip.car", saga.AtOnce()).
		WaitForSignal("approval", "approve", saga.OutputAs("approval"), saga.After("hotel", "car"), saga.Timeout(time.Hour)).
		Delay("breath", time.Second).
		WaitUntil("dawn", "/departure").
		Child("ship", "shipping", saga.OutputAs("shipment")).
		Pivot("flight", "airline.book").
		Retriable("mail", "mail.send").
		MustBuild()
	want, err := plain.MarshalJSON()
	require.NoError(t, err)
	got, err := typed.MustBuild().MarshalJSON()
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got))
}

func TestATypedSagaReportsItsFaults(t *testing.T) {
	t.Parallel()
	_, err := steps.Define[Trip]("trip").Step("hotel", nil, nil).Build()
	require.ErrorContains(t, err, "/steps/0 has no function")
	_, err = steps.Define[Trip]("trip").Step("hotel", nothing, nil, saga.OutputAs("hotel")).Build()
	require.ErrorContains(t, err, "/steps/0/output_as is not for a step with a function")
	_, err = steps.Define[Trip]("trip").Step("hotel", nothing, nil).Step("car", nothing, nil, saga.CommandName("trip.hotel")).Build()
	require.ErrorContains(t, err, "/steps/1 has the command trip.hotel, which has a function of step hotel")
	_, err = steps.Define[Trip]("no name").Step("hotel", nothing, nil).Build()
	require.ErrorContains(t, err, "the definition's name must match")
	_, err = steps.Define[int]("trip").Step("hotel", func(context.Context, *int) error { return nil }, nil).Build()
	require.ErrorContains(t, err, "must be a struct or a map, not int")
	_, err = steps.Define[*Trip]("trip").Step("hotel", func(context.Context, **Trip) error { return nil }, nil).Build()
	require.ErrorContains(t, err, "must be a struct or a map, not *steps_test.Trip")
	type notified struct {
		Inner struct{ Done chan int }
	}
	_, err = steps.Define[notified]("trip").Step("hotel", func(context.Context, *notified) error { return nil }, nil).Build()
	require.ErrorContains(t, err, "must encode to JSON, but its member /Inner/Done has the type chan int")
	assert.Panics(t, func() { steps.Define[Trip]("trip").MustBuild() }, "a saga without steps")
}

func TestServeReportsWhatItCannotServe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	trip := steps.Define[Trip]("trip").Step("hotel", nothing, nil).StepTx("car", nothingInTx, nil, saga.OnQueue("cars"))
	require.EqualError(t, trip.Serve(t.Context(), b.broker, steps.Only("boats")),
		"saga trip has no functions for the queue boats; its queues are trip, cars")
	require.EqualError(t, trip.Serve(t.Context(), b.broker), "saga trip, step car: its function takes a pgx.Tx: Serve needs WithBarrier")
	byStep := steps.Define[Trip]("trip").StepSQL("car", func(context.Context, steps.SQLTx, *Trip) error { return nil }, nil)
	require.ErrorContains(t, byStep.Serve(t.Context(), b.broker), "Serve needs WithSQLBarrier")
	require.ErrorContains(t, trip.Attach(steps.NewWorker("boats", steps.Config{})), "no functions for the queue boats")
}

func TestAFunctionOfAnotherTypeDoesNotCompile(t *testing.T) {
	t.Parallel()
	said, err := exec.CommandContext(t.Context(), "go", "vet", "./testdata/wrongtype").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(said), "cannot use ship")
}
