package saga_test

import (
	"encoding/json"
	"testing"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func shipping(options ...saga.StepOption) *saga.Builder {
	return saga.New("order").Step("a", "q.a", compensatedBy("a")).Child("ship", "shipping", options...).Step("b", "q.b")
}

// ends reports the end of the child of a step.
func (c *conversation) ends(step string, status saga.Status, with ...func(*saga.ChildEnded)) saga.Decision {
	c.t.Helper()
	ended := saga.ChildEnded{Step: step, Child: c.step(step).Child(), Status: status}
	for _, change := range with {
		change(&ended)
	}
	return c.hear(ended)
}

func childData(data string) func(*saga.ChildEnded) {
	return func(e *saga.ChildEnded) { e.Data = json.RawMessage(data) }
}

func TestRule23AStepStartsAChildAndTakesItsData(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping(saga.Input(map[string]saga.Pointer{"order": "/id"}), saga.OutputAs("shipment")), startData(`{"id":"42"}`))
	c.succeed("a")
	require.Empty(t, c.last.Commands)
	require.Len(t, c.last.Messages, 1)
	start := c.last.Messages[0].Start
	require.Equal(t, saga.Parent{Saga: "s", Step: "ship", Level: 2}, start.Parent)
	require.JSONEq(t, `{"order":"42"}`, string(start.Data))
	_, err := ulid.ParseStrict(start.ID)
	require.NoError(t, err)
	c.expectSteps("a succeeded, ship running, b pending")
	c.ends("ship", saga.Completed, childData(`{"tracking":7}`))
	c.expectSteps("a succeeded, ship succeeded, b running")
	c.expectData(`{"id":"42","shipment":{"tracking":7}}`)
	require.False(t, c.ends("ship", saga.Completed).Changed, "once")
	c.refuse("b")
	c.expectSteps("a succeeded, ship compensating, b failed")
	require.Equal(t, start.ID, c.last.Messages[0].Unwind.ID)
	c.ends("ship", saga.Compensated)
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule23ACompensatedChildFailsItsStepAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.ends("ship", saga.Compensated, func(e *saga.ChildEnded) { e.Failure = &saga.Failure{Code: "no_truck", Message: "none"} })
	c.expectFailure("ship", "no_truck")
	c.expectSteps("a compensating, ship failed, b pending")
}

func TestRule23AnAbandonedChildIsUnknownAndCompensated(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.ends("ship", saga.Abandoned)
	c.expectFailure("ship", saga.CodeChildAbandoned)
	c.expectSteps("a succeeded, ship compensating, b pending")
	c.ends("ship", saga.Abandoned)
	c.expectAttention(saga.CompensationExhausted, "ship")
	c.act(saga.ActionRetry)
	c.expectSteps("a succeeded, ship compensating, b pending")
	c.ends("ship", saga.Compensated)
	c.expectSteps("a compensating, ship compensated, b pending")
}

func TestRule23AParentThatTurnsBackTurnsItsChildBackAtOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.act(saga.ActionCompensate)
	require.NotNil(t, c.last.Messages[0].Unwind)
	c.expectSteps("a succeeded, ship running, b pending")
	c.ends("ship", saga.Compensated)
	c.expectSteps("a compensating, ship failed, b pending")

	raced := begin(t, shipping())
	raced.succeed("a")
	raced.act(saga.ActionCompensate)
	raced.ends("ship", saga.Completed)
	raced.expectSteps("a succeeded, ship compensating, b pending")
	raced.ends("ship", saga.Compensated)
	raced.succeed("a")
	raced.expectStatus(saga.Compensated)
}

func TestRule23AChildThatCannotStartFailsItsStep(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.ends("ship", "", func(e *saga.ChildEnded) { e.Refused = &saga.ReplyError{Code: saga.CodeChildHasPivot, Message: "no"} })
	c.expectFailure("ship", saga.CodeChildHasPivot)
}

func TestRule23ARewoundStepStartsAnotherChild(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	first := c.step("ship").Child()
	c.ends("ship", saga.Completed)
	c.act(saga.ActionRewind, to("ship"))
	c.refuse("b")
	c.ends("ship", saga.Compensated)
	require.NotEqual(t, first, c.step("ship").Child())
	require.Equal(t, []string{first, c.step("ship").Child()}, c.step("ship").Children)
	require.False(t, c.hear(saga.ChildEnded{Step: "ship", Child: first, Status: saga.Completed}).Changed)
}

// asChild makes a saga a child of another.
func asChild(s *saga.Start) { s.Parent = &saga.Parent{Saga: "p", Step: "ship", Level: 2} }

func TestRule23AChildTellsItsParentHowItEnds(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"), asChild)
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionCompensate)
	c.succeed("a", "b")
	c.expectStatus(saga.Completed)
	require.Equal(t, "ship", c.last.Messages[0].Ended.Step)
	first := c.last.Messages[0].ID
	c.hear(saga.Unwind{})
	c.expectStatus(saga.Compensating)
	c.succeed("b", "a")
	c.expectStatus(saga.Compensated)
	require.NotEqual(t, first, c.last.Messages[0].ID)
	require.False(t, c.hear(saga.Unwind{}).Changed)
}

func TestRule23AnAbandonedChildOpensAgain(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"), asChild)
	c.succeed("a")
	c.act(saga.ActionAbandon)
	c.hear(saga.Unwind{})
	c.expectSteps("a succeeded, b running")
	c.expectStatus(saga.Compensating)
	c.timeOut("b")
	c.expectSteps("a succeeded, b compensating")
	c.succeed("b", "a")
	c.expectStatus(saga.Compensated)
	require.NotNil(t, c.last.Messages[0].Ended)
}

func TestRule23AChildThatIsNoLongerWantedEndsAtOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"), asChild, func(s *saga.Start) { s.Unwound = true })
	c.expectStatus(saga.Compensated)
	require.Empty(t, c.last.Commands)
	require.NotNil(t, c.last.Messages[0].Ended)
}

func TestRule23AParentLooksAfterItsChildNowAndThen(t *testing.T) {
	t.Parallel()
	c := begin(t, shipping())
	c.succeed("a")
	c.now = c.step("ship").DeadlineAt
	decision := c.wake()
	require.False(t, decision.Changed)
	require.Equal(t, []int{1}, decision.Looks)
	require.True(t, c.is.WakeAt.After(c.now))
}
