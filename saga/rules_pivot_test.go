package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rule 8 (docs/rules.md): past the pivot no step is compensated. Rule 12: a saga is stuck only if no step can move.

// committing has a step before its pivot and one after it.
func committing() *saga.Builder {
	return chain("a").Pivot("p", "q.p", attempts(2)).Retriable("r", "q.r", attempts(2))
}

func TestRule8ThePivotFailsAndTheSagaGoesBack(t *testing.T) {
	t.Parallel()
	c := begin(t, committing())
	c.succeed("a")
	c.refuse("p")
	c.expectSteps("a compensating, p failed, r pending")
	c.expectFailure("p", "declined")
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule8ARetriableStepThatFailsFinallyLeavesTheSagaStuck(t *testing.T) {
	t.Parallel()
	c := begin(t, committing())
	c.succeed("a", "p")
	c.fail("r")
	c.expectStatus(saga.Running)
	c.retries("r")
	c.fail("r")
	c.expectSteps("a succeeded, p succeeded, r failed")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.RetriesExhausted, "r")
	c.expectNewest(saga.EntryStepAttemptFailed, saga.EntryStepFailed, saga.EntryAttention, saga.EntryStuck)
	require.Nil(t, c.is.Failure, "it has not turned back")
	c.advance(24 * time.Hour)
	c.expectStatus(saga.Stuck)
}

func TestRule8ARetriableStepOfUnknownOutcomeLeavesTheSagaStuckToo(t *testing.T) {
	t.Parallel()
	c := begin(t, committing())
	c.succeed("a", "p")
	c.timeOut("r")
	c.retries("r")
	c.refuse("r")
	c.expectSteps("a succeeded, p succeeded, r unknown")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.RetriesExhausted, "r")
}

func TestRule8APivotOfUnknownOutcomeLeavesTheSagaStuck(t *testing.T) {
	t.Parallel()
	c := begin(t, committing())
	c.succeed("a")
	c.timeOut("p")
	c.retries("p")
	c.refuse("p")
	c.expectSteps("a succeeded, p unknown, r pending")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.PivotUnknown, "p")
	require.Nil(t, c.is.Failure)
}

func TestRule8WhatAnOperatorDecidesOnAnUnknownPivot(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]struct {
		act    func(c *conversation)
		steps  string
		status saga.Status
	}{
		"it happened":    {func(c *conversation) { c.act(saga.ActionSkip, onStep("p")) }, "a succeeded, p skipped, r running", saga.Running},
		"it did not":     {func(c *conversation) { c.act(saga.ActionCompensate) }, "a compensating, p failed, r pending", saga.Compensating},
		"ask once more":  {func(c *conversation) { c.act(saga.ActionRetry) }, "a succeeded, p running, r pending", saga.Running},
		"leave it":       {func(c *conversation) { c.act(saga.ActionAbandon) }, "a succeeded, p unknown, r pending", saga.Abandoned},
		"it answers now": {func(c *conversation) { c.late("p/execute/1", succeeded()) }, "a succeeded, p succeeded, r running", saga.Running},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, committing())
			c.succeed("a")
			c.lose("p")
			c.retries("p")
			c.lose("p")
			says.act(c)
			c.expectSteps(says.steps)
			c.expectStatus(says.status)
			c.expectNoAttention()
		})
	}
}

func TestRule8ThePivotThatAnOperatorTookForFailedHappenedAfterAll(t *testing.T) {
	t.Parallel()
	c := begin(t, committing())
	c.succeed("a")
	c.lose("p")
	c.retries("p")
	c.lose("p")
	c.act(saga.ActionCompensate)
	c.expectFailure("p", saga.CodeCancelled)
	c.late("p/execute/2", succeeded())
	c.expectStatus(saga.Compensating) // it still goes back: the operator has decided
	c.expectAttention(saga.LateEffect, "p")
	c.succeed("a")
	c.expectStatus(saga.Compensated)
	c.expectAttention(saga.LateEffect, "p")
	c.expectAllowed(saga.ActionAcknowledge)
	c.act(saga.ActionAcknowledge)
	c.expectNoAttention()
}

func TestRule8ARetriedPivotCanStillFail(t *testing.T) {
	t.Parallel()
	c := begin(t, committing())
	c.succeed("a")
	c.lose("p")
	c.retries("p")
	c.lose("p")
	c.act(saga.ActionRetry)
	c.expectOut("p/execute/3")
	c.refuse("p")
	c.expectSteps("a succeeded, p unknown, r pending") // the outcome of the first attempts is still unknown
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.PivotUnknown, "p")
}

func TestRule8ASagaOfRetriableStepsAloneGoesForwardOnly(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables())
	c.expectAllowed(saga.ActionPause, saga.ActionAbandon)
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionCompensate)
	c.refuse("r")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.RetriesExhausted, "r")
}

func TestRule12StuckOnlyWhenNothingCanMove(t *testing.T) {
	t.Parallel()
	def := saga.New("order").Pivot("p", "q.p").
		Retriable("r", "q.r", attempts(1)).
		Retriable("u", "q.u", saga.After("p"), attempts(2)).
		Retriable("v", "q.v")
	c := begin(t, def)
	c.succeed("p")
	c.expectSent("r/execute/1", "u/execute/1")
	c.refuse("r")
	c.expectStatus(saga.Running)
	c.expectAttention(saga.RetriesExhausted, "r")
	c.fail("u")
	c.expectStatus(saga.Running) // it waits for its next attempt
	c.retries("u")
	c.succeed("u")
	c.expectStatus(saga.Running)
	c.expectNewest(saga.EntryStepSucceeded, saga.EntryStepDispatched)
	c.succeed("v")
	c.expectStatus(saga.Stuck)
	c.expectNewest(saga.EntryStepSucceeded, saga.EntryStuck)
	c.act(saga.ActionSkip, onStep("r"))
	c.expectStatus(saga.Completed)
}

func TestRule12TheAttentionIsThatOfTheNextStepThatNeedsAnOperator(t *testing.T) {
	t.Parallel()
	def := saga.New("order").Retriable("r", "q.r", attempts(1)).Retriable("u", "q.u", saga.AtOnce(), attempts(1))
	c := begin(t, def)
	c.refuse("r")
	c.advance(time.Second)
	c.refuse("u")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.RetriesExhausted, "r")
	c.advance(time.Second)
	c.act(saga.ActionSkip, onStep("r"))
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.RetriesExhausted, "u")
	c.act(saga.ActionRetry, onStep("u"))
	c.expectStatus(saga.Running)
	c.expectNoAttention()
}
