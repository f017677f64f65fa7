package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rule 5 where the definition parks the saga instead.

// parked is a definition with a pivot that parks its sagas.
func parked() *saga.Builder {
	once := saga.Retry(saga.Attempts(1))
	return saga.New("parked").OnFailure(saga.Park).
		Step("a", "w.a", saga.CompensatedBy("w.undo-a"), once).
		Step("b", "w.b", saga.CompensatedBy("w.undo-b"), once).
		Pivot("p", "w.p", once)
}

func TestRule5AParkedSagaWaitsForAnOperatorInsteadOfTurningBack(t *testing.T) {
	t.Parallel()
	c := begin(t, parked())
	c.succeed("a")
	c.refuse("b")
	c.expectStatus(saga.Stuck)
	c.expectSteps("a succeeded, b failed, p pending")
	require.Equal(t, saga.StepFailure, c.is.Attention.Reason)
	require.Equal(t, []saga.ActionName{
		saga.ActionRetry, saga.ActionSkip, saga.ActionCompensate, saga.ActionRewind, saga.ActionPatchData, saga.ActionAbandon,
	}, c.def.AllowedActions(&c.is))
	c.act(saga.ActionRetry)
	c.expectOut("b/execute/2")
	c.succeed("b")
	c.expectOut("p/execute/1")
	c.refuse("p")
	c.expectStatus(saga.Stuck)
	c.act(saga.ActionCompensate)
	c.expectOut("b/compensate/1")
}

func TestRule5AParkedStepThatMayHaveTakenEffectIsCompensated(t *testing.T) {
	t.Parallel()
	c := begin(t, parked())
	c.succeed("a")
	c.timeOut("b")
	c.expectStatus(saga.Stuck)
	c.expectSteps("a succeeded, b unknown, p pending")
	require.Equal(t, saga.StepFailure, c.is.Attention.Reason)
	c.act(saga.ActionCompensate)
	c.expectOut("b/compensate/1")
}

func TestRule15ASkippedParkedStepIsCompensatedIfTheSagaTurnsBack(t *testing.T) {
	t.Parallel()
	for _, failed := range []func(*conversation){
		func(c *conversation) { c.refuse("b") }, func(c *conversation) { c.timeOut("b") },
	} {
		c := begin(t, parked())
		c.succeed("a")
		failed(c)
		c.act(saga.ActionSkip, func(a *saga.Action) { a.Step, a.Output = "b", []byte(`{"bookingId":"B7"}`) })
		c.refuse("p")
		c.expectStatus(saga.Stuck)
		c.act(saga.ActionCompensate)
		c.expectOut("b/compensate/1")
		require.JSONEq(t, `{"bookingId":"B7"}`, string(c.last.Commands[0].Output))
		c.late("b/execute/1", saga.Reply{Succeeded: true})
		c.expectOut("b/compensate/1")
		c.succeed("b", "a")
		c.expectStatus(saga.Compensated)
	}
}

func TestRule9ALateSuccessOfAParkedStepResumesTheSaga(t *testing.T) {
	t.Parallel()
	c := begin(t, parked())
	c.succeed("a")
	c.timeOut("b")
	c.late("b/execute/1", saga.Reply{Succeeded: true})
	c.expectStatus(saga.Running)
	c.expectOut("p/execute/1")
}

func TestRule10TheDeadlineTurnsAParkedSagaBack(t *testing.T) {
	t.Parallel()
	c := begin(t, parked().Deadline(time.Hour))
	c.succeed("a")
	c.refuse("b")
	c.expectStatus(saga.Stuck)
	c.advance(time.Hour)
	c.expectStatus(saga.Compensating)
	c.expectOut("a/compensate/1")
}

func TestRule12AParkedBranchDoesNotStopTheOther(t *testing.T) {
	t.Parallel()
	once := saga.Retry(saga.Attempts(1))
	c := begin(t, saga.New("parked").OnFailure(saga.Park).Step("a", "w.a", saga.AtOnce(), once).Step("b", "w.b", saga.AtOnce(), once))
	c.refuse("a")
	c.expectStatus(saga.Running)
	require.Equal(t, saga.StepFailure, c.is.Attention.Reason)
	c.succeed("b")
	c.expectStatus(saga.Stuck)
}

func TestTheFailurePolicyIsPartOfADefinition(t *testing.T) {
	t.Parallel()
	steps := `"steps":[{"name":"a","command":"w.a"}]`
	hash := func(body string) [32]byte {
		d, err := saga.ParseDefinition("order", 0, []byte(body))
		require.NoError(t, err)
		sum, err := d.Hash()
		require.NoError(t, err)
		return sum
	}
	require.Equal(t, hash(`{`+steps+`}`), hash(`{"on_failure":"compensate",`+steps+`}`), "the default makes no difference")
	require.NotEqual(t, hash(`{`+steps+`}`), hash(`{"on_failure":"park",`+steps+`}`))
	for _, read := range []func(string, int, []byte) (*saga.Definition, error){saga.ParseDefinition, saga.ReadDefinition} {
		_, err := read("order", 1, []byte(`{"on_failure":"explode",`+steps+`}`))
		require.ErrorContains(t, err, "/on_failure")
	}
}
