package saga_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rules 13 and 15 (docs/rules.md): actions of operators.

func TestRule13PausedRepliesAreTakenInAndNothingIsDispatched(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a")
	c.act(saga.ActionPause)
	c.expectStatus(saga.Paused)
	c.expectOut("b/execute/1", "c/execute/1")
	c.succeed("b")
	c.fail("c")
	c.expectSent()
	c.expectStatus(saga.Paused)
	c.expectSteps("a succeeded, b succeeded, c retrying, d pending")
	c.advance(time.Hour)
	c.wake()
	c.expectNoEffect()
	c.act(saga.ActionResume)
	c.advance(0) // due events are handled at once
	c.expectOut("c/execute/2")
	c.expectStatus(saga.Running)
	c.succeed("c")
	c.expectOut("d/execute/1")
}

func TestRule13WhatTimesOutDuringAPauseIsDealtWithOnResume(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.act(saga.ActionPause)
	c.advance(time.Hour)
	c.expectOut("b/execute/1")
	c.act(saga.ActionResume)
	require.False(t, c.is.WakeAt.After(c.now))
	c.expectOut("b/execute/1") // only a wake reports whether it was published
	c.advance(0)
	c.expectOut("b/compensate/1")
}

func TestRule13AFailureDuringAPauseTurnsTheSagaWithoutASound(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.act(saga.ActionPause)
	c.refuse("b")
	c.expectStatus(saga.Paused)
	c.expectSent()
	c.expectAllowed(saga.ActionResume, saga.ActionPatchData, saga.ActionAbandon)
	c.act(saga.ActionResume)
	c.expectSent("a/compensate/1")
	c.act(saga.ActionPause)
	c.succeed("a")
	c.expectStatus(saga.Paused)
	c.act(saga.ActionResume)
	c.expectStatus(saga.Compensated)
}

func TestRule13TheLastSuccessDuringAPauseCompletesOnResume(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a"))
	c.act(saga.ActionPause)
	c.succeed("a")
	c.expectStatus(saga.Paused)
	c.act(saga.ActionResume)
	c.expectStatus(saga.Completed)
	c.expectNewest(saga.EntryResumed, saga.EntryCompleted)
}

func TestRule13ACancelEndsThePause(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.act(saga.ActionPause)
	c.lose("b")
	c.act(saga.ActionResume)
	c.expectStatus(saga.Compensating)

	c = begin(t, chain("a", "b"))
	c.succeed("a")
	c.act(saga.ActionPause)
	c.act(saga.ActionCompensate)
	c.expectStatus(saga.Compensating)
	c.expectOut("b/execute/1")
	c.refuse("b")
	c.expectOut("a/compensate/1")
}

func TestRule13AScheduledSagaCanBePaused(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a"), func(s *saga.Start) { s.StartAt = noon.Add(time.Hour) })
	c.act(saga.ActionPause)
	c.advance(2 * time.Hour)
	c.expectStatus(saga.Paused)
	c.act(saga.ActionResume)
	c.expectStatus(saga.Running)
	c.expectOut("a/execute/1")
}

func TestRule13AbandonedIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a")
	c.fail("b")
	c.act(saga.ActionAbandon)
	c.expectStatus(saga.Abandoned)
	c.expectSteps("a succeeded, b retrying, c running, d pending") // unchanged
	c.expectNewest(saga.EntryAbandoned)
	c.expectSent()
	c.expectAllowed()
	require.Equal(t, c.now, c.is.FinishedAt)
	c.advance(time.Hour)
	c.late("c/execute/1", failed("busy", true))
	c.expectNoEffect()
	c.wake()
	c.expectNoEffect()
	c.expectSteps("a succeeded, b retrying, c running, d pending")
}

func TestRule13ASuccessAfterAnAbandonIsALateEffect(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.act(saga.ActionAbandon)
	c.late("b/execute/1", succeeded(`{"id":"b-1"}`))
	c.expectStatus(saga.Abandoned)
	c.expectSteps("a succeeded, b succeeded")
	c.expectAttention(saga.LateEffect, "b")
	c.expectData(`{"id":"b-1"}`)
	c.act(saga.ActionCompensate, onStep("b"))
	c.expectOut("b/compensate/1")
	c.expectStatus(saga.Compensating)
	c.succeed("b")
	c.expectStatus(saga.Abandoned) // its earlier end: a is not compensated
	c.expectSteps("a succeeded, b compensated")
	c.expectNoAttention()
}

func TestRule13ACompensationThatSucceedsAfterAnAbandonIsALateEffectToo(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.refuse("b")
	c.act(saga.ActionAbandon)
	c.late("a/compensate/1", succeeded())
	c.expectSteps("a compensated, b failed")
	c.expectAttention(saga.LateEffect, "a")
	c.expectAllowed(saga.ActionAcknowledge) // no compensation is left
}

func TestRule13SoItIsWhileAnotherLateEffectIsBeingCompensated(t *testing.T) {
	t.Parallel()
	def := saga.New("order").
		Step("a", "q.a", compensatedBy("a"), saga.AtOnce()).
		Step("b", "q.b", compensatedBy("b"), saga.AtOnce(), attempts(1)).
		Step("c", "q.c", compensatedBy("c"), saga.AtOnce(), attempts(1))
	c := begin(t, def)
	c.succeed("a")
	c.lose("b")
	c.refuse("c")
	c.expectOut("a/compensate/1", "b/compensate/1")
	c.act(saga.ActionAbandon)
	c.late("b/execute/1", succeeded())
	c.act(saga.ActionCompensate, onStep("b"))
	c.expectSent("b/compensate-2/1")
	c.late("a/compensate/1", failed("busy", false))
	c.expectNoEffect()
	c.late("a/compensate/1", succeeded())
	c.expectAttention(saga.LateEffect, "a")
	c.succeed("b")
	c.expectStatus(saga.Abandoned)
	c.expectAttention(saga.LateEffect, "a")
}

func TestRule15ARetryGivesThePolicysAttemptsAnewAtOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables())
	c.fail("r")
	c.retries("r")
	c.fail("r")
	c.act(saga.ActionRetry, onStep("r"))
	c.expectNewest(saga.EntryRetried, saga.EntryStepDispatched)
	c.expectSent("r/execute/3") // the numbering continues
	require.Equal(t, "s/r/execute", c.sent("r").ID.IdempotencyKey())
	c.expectNoAttention()
	c.fail("r")
	require.Equal(t, c.now.Add(time.Second), c.step("r").NextAttemptAt, "the backoff restarts")
	c.retries("r")
	c.expectOut("r/execute/4")
	c.fail("r")
	c.expectStatus(saga.Stuck)
	c.act(saga.ActionRetry)
	c.succeed("r")
	require.Equal(t, 5, c.step("r").Attempts)
	c.expectOut("u/execute/1")
}

func TestRule15ARetryOfACompensation(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a", "b", "c")
	c.refuse("d")
	c.refuse("b")
	c.refuse("c")
	c.expectStatus(saga.Stuck)
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionRetry, onStep("a"))
	c.act(saga.ActionRetry, onStep("c"))
	c.expectSent("c/compensate/2")
	c.expectStatus(saga.Compensating)
	c.expectAttention(saga.CompensationExhausted, "b")
	c.refuse("c")
	c.act(saga.ActionRetry)
	c.expectSent("b/compensate/2", "c/compensate/3") // without a step: everything exhausted
	c.succeed("b", "c", "a")
	c.expectStatus(saga.Compensated)
}

func TestRule15ASkippedStepCountsAsDoneWithTheOutputGiven(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables())
	c.refuse("r")
	c.expectRefused(saga.RefusedUnknownStep, saga.ActionSkip)
	c.expectRefused(saga.RefusedUnknownStep, saga.ActionSkip, onStep("missing"))
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionSkip, onStep("u"))
	c.expectRefused(saga.RefusedDataTooLarge, saga.ActionSkip, onStep("r"), withOutput(`{"x":"`+strings.Repeat("x", saga.MaxDataBytes)+`"}`))
	c.act(saga.ActionSkip, onStep("r"), withOutput(`{"receipt":"by hand"}`))
	c.expectSteps("r skipped, u running")
	c.expectData(`{"receipt":"by hand"}`)
	require.JSONEq(t, `{"receipt":"by hand"}`, string(c.step("r").Output))
	require.JSONEq(t, `{"receipt":"by hand"}`, string(c.sent("u").Data))
	entry := c.expectHistory(saga.EntryStepSkipped, "r")
	require.Equal(t, "ann", entry.Actor)
	require.Equal(t, "because", entry.Detail["reason"])
	c.late("r/execute/1", succeeded(`{"receipt":"r-1"}`))
	c.expectNoEffect() // the operator's decision stands
	c.succeed("u")
	c.expectStatus(saga.Completed)
}

func TestRule15ASkippedCompensationCountsAsCompensated(t *testing.T) {
	t.Parallel()
	c := compensatingB(t)
	c.refuse("b")
	c.act(saga.ActionSkip, onStep("b"))
	c.expectSteps("a compensating, b skipped")
	c.late("b/compensate/1", succeeded())
	c.expectNoEffect()
	c.late("b/execute/1", succeeded()) // now it took effect after its compensation was sent
	c.expectOut("a/compensate/1", "b/compensate-2/1")
}

func TestRule15TheDataThatACommandCarriesIsTheDataAtItsDispatch(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables(), func(s *saga.Start) {
		s.Data = json.RawMessage(`{"mail":"old","keep":{"a":1,"b":[1,2]},"gone":true}`)
	})
	c.refuse("r")
	c.act(saga.ActionPatchData, patch(`{"mail":"new","keep":{"a":null,"c":{"d":null,"e":2},"b":[3]},"gone":null,"never":null}`))
	const patched = `{"mail":"new","keep":{"b":[3],"c":{"e":2}}}`
	c.expectData(patched)
	c.expectStatus(saga.Stuck)
	c.expectSent()
	c.act(saga.ActionRetry)
	require.JSONEq(t, patched, string(c.sent("r").Data))
	c.act(saga.ActionPause)
	c.act(saga.ActionPatchData, patch(`{"keep":7}`))
	c.succeed("r")
	c.act(saga.ActionResume)
	require.JSONEq(t, `{"mail":"new","keep":7}`, string(c.sent("u").Data))
}

func TestRule15APatchThatTheDataCannotHoldIsRefused(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a"))
	c.act(saga.ActionPause)
	for _, text := range []string{`{"x":"` + strings.Repeat("x", saga.MaxDataBytes) + `"}`, `[]`, `null`, `1`} {
		c.expectRefused(saga.RefusedDataTooLarge, saga.ActionPatchData, patch(text))
	}
}
