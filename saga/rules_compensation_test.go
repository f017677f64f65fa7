package saga_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rules 6 and 7 (docs/rules.md): what is compensated, in which order, and what follows a failed compensation.

func TestRule6WhatSucceededOrMayHaveIsCompensated(t *testing.T) {
	t.Parallel()
	def := saga.New("order").
		Step("succeeded", "q.a", compensatedBy("a"), saga.AtOnce()).
		Step("unknown", "q.b", compensatedBy("b"), saga.AtOnce(), attempts(1)).
		Step("failed", "q.c", compensatedBy("c"), saga.AtOnce()).
		Step("plain", "q.d", saga.AtOnce()).
		Step("guess", "q.e", saga.AtOnce(), attempts(1)).
		Step("pending", "q.f", compensatedBy("f"), saga.After("failed"))
	c := begin(t, def)
	c.succeed("succeeded", "plain")
	c.refuse("failed")
	c.expectSent()
	c.lose("guess")
	c.expectSent()
	c.lose("unknown")
	c.expectSent("succeeded/compensate/1", "unknown/compensate/1")
	c.succeed("succeeded", "unknown")
	c.expectStatus(saga.Compensated)
	c.expectSteps("succeeded compensated, unknown compensated, failed failed, plain succeeded, guess unknown, pending pending")
}

func TestRule6CompensationGoesInReverse(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b", "c", "d"))
	c.succeed("a", "b", "c")
	c.refuse("d")
	for _, step := range []string{"c", "b", "a"} {
		c.expectOut(step + "/compensate/1")
		c.succeed(step)
	}
	c.expectStatus(saga.Compensated)
}

func TestRule6WhatRanInParallelIsCompensatedInParallel(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a", "b", "c")
	c.lose("d")
	c.expectOut("d/compensate/1")
	c.succeed("d")
	c.expectSent("b/compensate/1", "c/compensate/1")
	c.succeed("b")
	c.expectSent()
	c.expectOut("c/compensate/1")
	c.succeed("c")
	c.expectSent("a/compensate/1")
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule6TheOrderHoldsAcrossAStepThatHasNothingToCompensate(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Step("plain", "q.plain").Step("c", "q.c", compensatedBy("c")).Step("d", "q.d"))
	c.succeed("a", "plain", "c")
	c.refuse("d")
	c.expectOut("c/compensate/1")
	c.succeed("c")
	c.expectOut("a/compensate/1")
}

// A step may need another compensation after the steps before it had their turn.
func TestRule6ARetryOfTwoStepsOnOnePathCompensatesThemInReverse(t *testing.T) {
	t.Parallel()
	for name, retried := range map[string][]func(*saga.Action){
		"both at once": {func(*saga.Action) {}}, "the earlier one first": {onStep("a"), onStep("b")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := compensatingB(t)
			c.succeed("b")
			c.refuse("a")
			c.late("b/execute/1", succeeded())
			c.refuse("b")
			c.expectStatus(saga.Stuck)
			for _, step := range retried {
				c.act(saga.ActionRetry, step)
			}
			c.expectOut("b/compensate-2/2")
			c.succeed("b")
			c.expectSent("a/compensate/2")
			c.succeed("a")
			c.expectStatus(saga.Compensated)
		})
	}
}

func TestRule6AFurtherAttemptWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(c *conversation){
		"it already waits for its next attempt": func(c *conversation) { c.fail("a"); c.late("b/execute/1", succeeded()) },
		"its compensation was still out":        func(c *conversation) { c.late("b/execute/1", succeeded()); c.fail("a") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), compensationAttempts(2)).Step("b", "q.b", compensatedBy("b"), attempts(1)))
			c.succeed("a")
			c.lose("b")
			c.succeed("b")
			c.expectOut("a/compensate/1")
			happens(c)
			c.advance(10 * time.Second) // a would be due now
			c.expectOut("b/compensate-2/1")
			c.succeed("b")
			c.expectSent("a/compensate/2")
			c.succeed("a")
			c.expectStatus(saga.Compensated)
		})
	}
}

func TestRule9ACompensationThatWaitsForItsTurnMayTurnOutToHaveSucceeded(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), compensationAttempts(2)).Step("b", "q.b", compensatedBy("b"), attempts(1)))
	c.succeed("a")
	c.lose("b")
	c.succeed("b")
	c.late("b/execute/1", succeeded())
	c.lose("a")
	c.expectSteps("a succeeded, b compensating")
	c.late("a/compensate/1", succeeded())
	c.expectSteps("a compensated, b compensating")
	c.succeed("b")
	c.expectStatus(saga.Compensated)
}

func TestRule6ACompensationCarriesTheStepsOutput(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Step("b", "q.b", compensatedBy("b"), attempts(1)), func(s *saga.Start) { s.Priority = 7 })
	c.answer("a", succeeded(`{"id":"a-1"}`))
	require.EqualValues(t, 7, c.sent("b").Priority)
	c.lose("b")
	compensation := c.sent("b")
	require.Equal(t, "q.compensate-b", compensation.Name)
	require.Equal(t, "q", compensation.Queue)
	require.Nil(t, compensation.Output, "the output of a step with an unknown outcome is unknown")
	require.JSONEq(t, `{"id":"a-1"}`, string(compensation.Data))
	c.answer("b", succeeded(`{"note":"compensated"}`))
	require.JSONEq(t, `{"id":"a-1"}`, string(c.sent("a").Output))
	require.EqualValues(t, 7, c.sent("a").Priority)
	c.expectData(`{"id":"a-1"}`) // the output of a compensation is not merged
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule7ACompensationIsRetriedByItsPolicy(t *testing.T) {
	t.Parallel()
	def := saga.New("order").Step("a", "q.a", compensatedBy("a"), saga.CompensationTimeout(time.Minute), compensationAttempts(4)).Step("b", "q.b")
	c := begin(t, def)
	c.succeed("a")
	c.refuse("b")
	c.fail("a")
	c.expectSteps("a compensating, b failed")
	c.expectOut()
	c.expectNewest(saga.EntryCompensationRetry)
	require.Equal(t, c.now.Add(time.Second), c.step("a").NextAttemptAt)
	c.retries("a")
	c.expectOut("a/compensate/2")
	c.lose("a")
	c.retries("a")
	c.expectOut("a/compensate/3")
	c.timeOut("a")
	c.expectStatus(saga.Compensating)
	c.retries("a")
	c.succeed("a")
	c.expectStatus(saga.Compensated)
	require.Equal(t, 4, c.step("a").CompensationAttempts)
	require.Equal(t, 1, c.step("a").Attempts)
}

func TestRule7AnEarlierAttemptsSuccessCompensatesTheStepToo(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), compensationAttempts(3)).Step("b", "q.b"))
	c.succeed("a")
	c.refuse("b")
	c.timeOut("a")
	c.retries("a")
	c.late("a/compensate/1", succeeded())
	c.expectStatus(saga.Compensated)
	c.late("a/compensate/2", succeeded())
	c.expectNoEffect()
}

func TestRule7ExhaustedItIsLeftToAnOperatorAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a", "b", "c")
	c.refuse("d")
	c.refuse("b")
	c.expectSteps("a succeeded, b compensation_failed, c compensating, d failed")
	c.expectStatus(saga.Compensating) // c still moves, but the saga already asks for an operator
	c.expectAttention(saga.CompensationExhausted, "b")
	c.expectAllowed(saga.ActionPause, saga.ActionAbandon)
	since := c.is.Attention.Since
	c.advance(time.Second)
	c.succeed("c")
	c.expectSteps("a succeeded, b compensation_failed, c compensated, d failed")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.CompensationExhausted, "b")
	require.Equal(t, since, c.is.Attention.Since)
	c.expectNewest(saga.EntryStepCompensated, saga.EntryStuck)
	c.act(saga.ActionRetry)
	c.succeed("b", "a")
	c.expectStatus(saga.Compensated)
	c.expectNoAttention()
}

func TestRule7IndependentBranchesGoAllTheWayBack(t *testing.T) {
	t.Parallel()
	def := chain("a", "b").
		Step("x", "q.x", compensatedBy("x"), saga.AtOnce(), compensationAttempts(1)).
		Step("y", "q.y", compensatedBy("y"), compensationAttempts(1)).
		Step("last", "q.last", saga.After("b", "y"))
	c := begin(t, def)
	c.succeed("a", "x", "b", "y")
	c.refuse("last")
	c.refuse("b")
	c.succeed("y", "x")
	c.expectSteps("a succeeded, b compensation_failed, x compensated, y compensated, last failed")
	c.expectStatus(saga.Stuck)
}

func TestRule7ACodeThatIsNotRetriedUsesACompensationUp(t *testing.T) {
	t.Parallel()
	policy := saga.CompensationRetry(saga.NonRetryable("gone"))
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), policy).Step("b", "q.b"))
	c.succeed("a")
	c.refuse("b")
	c.answer("a", failed("gone", true))
	c.expectSteps("a compensation_failed, b failed")
	c.expectStatus(saga.Stuck)
	require.Equal(t, "gone", c.step("a").Error.Code)
	c.expectFailure("b", "declined")
}

// Rule 11 (docs/rules.md): ids and keys.

func TestRule11IdsAndKeysAreDerived(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), attempts(2), compensationAttempts(2)).Step("b", "q.b", attempts(1)),
		func(s *saga.Start) { s.Data = json.RawMessage(`{"n":1}`) })
	require.Equal(t, "s/a/execute/1", c.sent("a").ID.String())
	require.Equal(t, "s/a/execute", c.sent("a").ID.IdempotencyKey())
	c.fail("a")
	c.retries("a")
	require.Equal(t, "s/a/execute/2", c.sent("a").ID.String())
	require.Equal(t, "s/a/execute", c.sent("a").ID.IdempotencyKey())
	c.succeed("a")
	c.refuse("b")
	require.Equal(t, "s/a/compensate/1", c.sent("a").ID.String())
	require.Equal(t, "s/a/compensate", c.sent("a").ID.IdempotencyKey())
	c.fail("a")
	c.retries("a")
	require.Equal(t, "s/a/compensate/2", c.sent("a").ID.String())
}

func TestRule11AReplyToNoCommandOfTheSagaIsRefused(t *testing.T) {
	t.Parallel()
	for _, id := range []saga.CommandID{
		{Saga: "another", Step: "a", Direction: saga.Execute, Round: 1, Attempt: 1},
		{Saga: "s", Step: "missing", Direction: saga.Execute, Round: 1, Attempt: 1},
		{Saga: "s", Step: "a", Direction: saga.Execute, Round: 1, Attempt: 2},
		{Saga: "s", Step: "a", Direction: saga.Compensate, Round: 1, Attempt: 1},
		{Saga: "s", Step: "a", Direction: saga.Compensate, Round: 2, Attempt: 1},
		{Saga: "s", Step: "b", Direction: saga.Execute, Round: 1, Attempt: 1},
	} {
		for _, reply := range []saga.Reply{succeeded(), failed("busy", true)} {
			c := begin(t, chain("a", "b"))
			reply.Command = id
			decision := c.hear(reply)
			require.NotNil(t, decision.Refused, id)
			require.Equal(t, saga.RefusedUnknownCommand, decision.Refused.Code)
		}
	}
}
