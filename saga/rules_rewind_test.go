package saga_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestRule16ARewindCompensatesInReverseAndRunsAgain(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b", "c"))
	c.late("a/execute/1", succeeded(`{"from":"a"}`))
	c.late("b/execute/1", succeeded(`{"from":"b"}`))
	rewindTo("b", patch(`{"patched":true}`))(c)
	c.expectStatus(saga.Compensating)
	c.expectNewest(saga.EntryRewinding)
	c.expectOut("c/execute/1") // awaited, as in rule 5
	c.succeed("c")
	c.expectOut("c/compensate/1")
	c.succeed("c")
	c.expectOut("b/compensate/1")
	c.expectData(`{"from":"b"}`) // the compensations see the data as it was
	c.succeed("b")
	c.expectStatus(saga.Running)
	c.expectNewest(saga.EntryStepCompensated, saga.EntryRewound, saga.EntryStepDispatched)
	c.expectSteps("a succeeded, b running, c pending")
	c.expectOut("b/execute-2/1")
	require.JSONEq(t, `{"from":"b","patched":true}`, string(c.sent("b").Data))
	c.succeed("b")
	c.expectOut("c/execute-2/1")
	c.succeed("c")
	c.expectStatus(saga.Completed)
}

func TestRule16TheNumberCountsHowOftenADirectionBeganAnew(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b").OnFailure(saga.Park))
	c.refuse("a") // never compensated
	rewindTo("a")(c)
	c.expectOut("a/execute-2/1")
	c.succeed("a")
	c.refuse("b")
	rewindTo("a")(c)
	c.expectOut("a/compensate/1")
	require.Equal(t, "s/a/execute-2", c.sent("a").Compensates)
	c.succeed("a")
	c.expectOut("a/execute-3/1")
	c.succeed("a")
	c.expectOut("b/execute-2/1")
	c.refuse("b")
	c.act(saga.ActionCompensate)
	c.expectOut("a/compensate-2/1")
	require.Equal(t, "s/a/execute-3", c.sent("a").Compensates)
}

func TestRule16ACompensationThatIsRepeatedCountsToo(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b").OnFailure(saga.Park))
	c.timeOut("a")
	rewindTo("a")(c)
	c.expectOut("a/compensate/1")
	c.late("a/execute/1", succeeded())
	c.expectOut("a/compensate-2/1")
	c.succeed("a")
	c.expectOut("a/execute-2/1")
	c.succeed("a")
	c.refuse("b")
	c.act(saga.ActionCompensate)
	c.expectOut("a/compensate-3/1")
}

func TestRule16OtherBranchesKeepWhatTheyHave(t *testing.T) {
	t.Parallel()
	def := func() *saga.Builder {
		return saga.New("order").
			Step("a", "q.a", compensatedBy("a"), attempts(1), saga.AtOnce()).
			Step("x", "q.x", compensatedBy("x"), attempts(2), saga.AtOnce())
	}
	c := begin(t, def())
	c.succeed("a")
	c.fail("x")
	rewindTo("a")(c)
	c.expectSteps("a compensating, x retrying")
	c.advance(10 * time.Second) // its next attempt has to wait
	c.expectSteps("a compensating, x retrying")
	c.succeed("a")
	c.advance(0)
	c.expectSteps("a running, x running")
	c.expectOut("a/execute-2/1", "x/execute/2")

	c = begin(t, def())
	c.succeed("a", "x")
	c.expectStatus(saga.Completed)
}

func TestRule16AFinalFailureOfAnotherBranchEndsTheRewind(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").
		Step("a", "q.a", compensatedBy("a"), attempts(1), saga.AtOnce()).
		Step("x", "q.x", compensatedBy("x"), attempts(2), saga.AtOnce()))
	c.succeed("a")
	rewindTo("a")(c)
	c.fail("x")
	c.expectSteps("a compensating, x retrying")
	c.succeed("a")
	c.advance(time.Second)
	c.expectOut("a/execute-2/1", "x/execute/2")
	rewindTo("a")(c)
	c.refuse("x")
	c.expectFailure("x", "declined")
	require.Nil(t, c.is.Rewind)
	c.succeed("a")
	c.expectOut("a/compensate-2/1")
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule16AStepThatWaitsForItsNextAttemptGetsNone(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), attempts(5)))
	c.fail("a")
	rewindTo("a")(c)
	c.expectOut("a/execute-2/1") // it took no effect, so there was nothing to compensate
	require.Equal(t, 1, c.step("a").Attempts)
	c.expectHistory(saga.EntryStepFailed, "a")
}

func TestRule16ARewindMayBeCancelledPausedAndAbandoned(t *testing.T) {
	t.Parallel()
	reach := func() *conversation {
		c := begin(t, chain("a", "b", "c"))
		c.succeed("a", "b")
		c.refuseLater("c")
		return c
	}
	c := reach()
	c.act(saga.ActionCompensate)
	c.succeed("b", "a")
	c.expectStatus(saga.Compensated)
	c.expectFailure("", saga.CodeCancelled)

	c = reach()
	c.act(saga.ActionPause)
	c.succeed("b")
	c.expectStatus(saga.Paused)
	c.expectOut()
	c.act(saga.ActionResume)
	c.expectOut("b/execute-2/1")

	c = reach()
	c.act(saga.ActionAbandon)
	c.expectStatus(saga.Abandoned)
	require.Nil(t, c.is.Rewind)
}

// refuseLater rewinds to b while the step is out, which then fails.
func (c *conversation) refuseLater(step string) {
	rewindTo("b")(c)
	c.refuse(step)
	c.expectOut("b/compensate/1")
}

func TestRule16AnExhaustedCompensationStopsTheRewindUntilItIsRepaired(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	rewindTo("a")(c)
	c.refuse("b")
	c.refuse("a")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.CompensationExhausted, "a")
	c.act(saga.ActionRetry)
	c.expectStatus(saga.Compensating)
	c.refuse("a")
	c.act(saga.ActionSkip, onStep("a"))
	c.expectStatus(saga.Running)
	c.expectOut("a/execute-2/1")
}

func TestRule16APausedSagaIsRewoundAtOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.act(saga.ActionPause)
	rewindTo("a")(c)
	c.expectStatus(saga.Compensating)
	c.refuse("b")
	c.expectOut("a/compensate/1")
}

func TestRule16ARewindWaitsForAPivotThatIsOut(t *testing.T) {
	t.Parallel()
	reach := func() *conversation {
		c := begin(t, committing())
		c.succeed("a")
		rewindTo("a")(c)
		c.expectStatus(saga.Running)
		c.expectNewest(saga.EntryRewindRequested)
		return c
	}
	c := reach()
	c.succeed("p")
	c.expectHistory(saga.EntryCancelTooLate, "p")
	require.Nil(t, c.is.Rewind)

	c = reach()
	c.refuse("p")
	c.expectOut("a/compensate/1")
	c.succeed("a")
	c.expectOut("a/execute-2/1")
	c.succeed("a")
	c.expectOut("p/execute-2/1")

	c = reach()
	c.lose("p")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.PivotUnknown, "p")
	c.act(saga.ActionRetry)
	require.Nil(t, c.is.Rewind)
	c.expectOut("p/execute/2")
	require.Equal(t, saga.CodeRewind, c.expectHistory(saga.EntryCancelDropped, "p").Detail["code"])

	c = reach()
	c.lose("p")
	c.act(saga.ActionSkip, onStep("p"))
	c.expectHistory(saga.EntryCancelTooLate, "p")

	c = reach()
	c.act(saga.ActionCompensate)
	c.refuse("p")
	c.expectFailure("", saga.CodeCancelled)
}

func TestRule16TheDeadlineTurnsARewindBack(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b").Deadline(10*time.Second))
	c.succeed("a")
	rewindTo("b")(c)
	c.advance(10 * time.Second)
	c.expectFailure("", saga.CodeDeadlineExceeded)
	c.refuse("b")
	c.expectOut("a/compensate/1")

	c = begin(t, chain("a", "b").Deadline(10*time.Second))
	c.act(saga.ActionPause)
	c.now = c.now.Add(time.Minute)
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionRewind, func(a *saga.Action) { a.To = "a" })
}

func TestRule16ALateSuccessFromBeforeARewindAsksForAnOperator(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b").OnFailure(saga.Park))
	c.timeOut("a")
	rewindTo("a")(c)
	c.succeed("a") // the compensation
	c.expectOut("a/execute-2/1")
	c.late("a/execute/1", succeeded(`{"lost":true}`))
	require.True(t, c.last.Changed)
	c.expectAttention(saga.LateEffect, "a")
	c.expectData(`{}`)
	c.late("a/execute/1", succeeded())
	c.expectNoEffect()
	c.succeed("a", "b")
	c.expectStatus(saga.Completed)
	c.expectAllowed(saga.ActionAcknowledge)
	c.act(saga.ActionAcknowledge)
	c.expectNoAttention()
}

// Rule 9 holds for an execution from before a rewind, too: an operator has it compensated once the saga has ended.
func TestRule16ALateEffectFromBeforeARewindCanBeCompensated(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *conversation){
		"compensated": func(c *conversation) { c.succeed("a"); c.refuse("b"); c.act(saga.ActionCompensate); c.succeed("a") },
		"failed":      func(c *conversation) { c.refuse("a"); c.act(saga.ActionCompensate) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, chain("a", "b").OnFailure(saga.Park))
			c.timeOut("a")
			rewindTo("a")(c)
			c.succeed("a")
			c.late("a/execute/1", succeeded())
			end(c)
			c.expectStatus(saga.Compensated)
			c.expectAllowed(saga.ActionCompensate, saga.ActionAcknowledge)
			c.act(saga.ActionCompensate, onStep("a"))
			require.Equal(t, "s/a/execute", c.sent("a").Compensates)
			require.Nil(t, c.sent("a").Output, "that of another execution")
			c.fail("a")
			c.act(saga.ActionRetry)
			require.Equal(t, "s/a/execute", c.sent("a").Compensates)
			c.succeed("a")
			c.expectStatus(saga.Compensated)
			c.expectNoAttention()
		})
	}
}

func TestRule16ALateEffectOfAStepThatRunsNoMoreCanBeCompensated(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b", "c").OnFailure(saga.Park))
	c.succeed("a")
	c.timeOut("b")
	rewindTo("a")(c)
	c.succeed("b", "a")
	c.refuse("a")
	c.act(saga.ActionCompensate)
	c.expectSteps("a failed, b pending, c pending")
	c.late("b/execute/1", succeeded())
	c.act(saga.ActionCompensate)
	c.expectOut("b/compensate-2/1")
	c.succeed("b")
	c.expectStatus(saga.Compensated)
	c.expectNoAttention()
}

func TestRule16OtherRepliesFromBeforeARewindChangeNothing(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	rewindTo("a")(c)
	c.refuse("b")
	c.succeed("a")
	c.expectOut("a/execute-2/1")
	for _, command := range []string{"a/execute/1", "a/compensate/1", "b/execute/1"} {
		for _, reply := range []saga.Reply{succeeded(), failed("busy", true)} {
			c.late(command, reply)
			c.expectNoEffect()
		}
	}
	c.hear(saga.Lost{Command: saga.CommandID{Saga: "s", Step: "a", Direction: saga.Execute, Round: 1, Attempt: 1}})
	c.expectNoEffect()
	c.late("a/execute-3/1", succeeded())
	require.NotNil(t, c.last.Refused)
	c.late("a/compensate-3/1", succeeded())
	require.NotNil(t, c.last.Refused)
}

func TestRule16ARewindIsRefused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		reach func(t *testing.T) *conversation
		code  string
		with  func(*saga.Action)
	}{
		"without a step":              {after(chained), saga.RefusedUnknownStep, func(*saga.Action) {}},
		"to a step that is not there": {after(chained), saga.RefusedUnknownStep, func(a *saga.Action) { a.To = "z" }},
		"to a step that never ran":    {after(chained), saga.RefusedNotApplicable, func(a *saga.Action) { a.To = "b" }},
		"past the pivot":              {after(committing, successOf("a", "p")), saga.RefusedNotApplicable, func(a *saga.Action) { a.To = "a" }},
		"with too much data": {after(chained), saga.RefusedDataTooLarge, func(a *saga.Action) {
			a.To, a.Patch = "a", []byte(`{"much":"`+strings.Repeat("m", saga.MaxDataBytes)+`"}`)
		}},
		"too often": {
			after(chained, func(c *conversation) { c.is.Steps[0].Rewinds = saga.MaxRewinds }),
			saga.RefusedNotApplicable, func(a *saga.Action) { a.To = "a" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := row.reach(t)
			c.expectRefused(row.code, saga.ActionRewind, row.with)
			require.Nil(t, c.is.Rewind)
		})
	}
}

func TestRule16AnOutputMustFitWithThePatchOfTheRewind(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	half := `"` + strings.Repeat("m", saga.MaxDataBytes*2/3) + `"`
	rewindTo("a", patch(`{"patched":`+half+`}`))(c)
	c.late("b/execute/1", succeeded(`{"output":`+half+`}`))
	c.expectSteps("a succeeded, b compensating") // it took effect, with an output that is too large
	require.Equal(t, saga.CodeDataTooLarge, c.step("b").Error.Code)
	c.succeed("b", "a")
	c.expectOut("a/execute-2/1")
}
