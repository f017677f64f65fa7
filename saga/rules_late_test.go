package saga_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rule 9 (docs/rules.md): late replies.

func TestRule9TheFirstSuccessWinsWhicheverAttemptItAnswers(t *testing.T) {
	t.Parallel()
	def := saga.New("order").Step("a", "q.a", compensatedBy("a"), attempts(3)).Step("b", "q.b")
	for name, earlier := range map[string]func(c *conversation){
		"while it waits for its next attempt": func(c *conversation) { c.lose("a") },
		"while the next attempt is out":       func(c *conversation) { c.lose("a"); c.retries("a") },
		"although that attempt failed before": func(c *conversation) { c.fail("a"); c.retries("a") }, // delivered twice
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, def)
			earlier(c)
			c.late("a/execute/1", succeeded(`{"from":1}`))
			c.expectSteps("a succeeded, b running")
			c.expectData(`{"from":1}`)
			require.Equal(t, 1, c.last.Entries[0].Attempt, "the history names the attempt that was answered")
			if c.step("a").Attempts == 2 {
				c.late("a/execute/2", succeeded(`{"from":2}`))
				c.expectNoEffect()
				c.late("a/execute/2", failed("busy", false))
				c.expectNoEffect()
			}
			c.expectData(`{"from":1}`)
		})
	}
}

func TestRule9ASuccessForAnUnknownStepCountsBeforeItIsCompensated(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a")
	c.lose("b")
	c.retries("b")
	c.lose("b")
	c.expectSteps("a succeeded, b unknown, c running, d pending") // c is still out
	c.late("b/execute/1", succeeded(`{"id":"b-1"}`))
	c.expectSteps("a succeeded, b succeeded, c running, d pending")
	c.expectNewest(saga.EntryStepSucceeded)
	c.fail("c")
	require.JSONEq(t, `{"id":"b-1"}`, string(c.sent("b").Output), "the compensation sees the output")
	require.JSONEq(t, `{"id":"b-1"}`, string(c.sent("b").Data))
	require.Equal(t, "s/b/compensate/1", c.sent("b").ID.String())
}

// compensatingB returns a saga that compensates step b, whose outcome is unknown.
func compensatingB(t *testing.T) *conversation {
	t.Helper()
	c := begin(t, chain("a").Step("b", "q.b", compensatedBy("b"), attempts(1), compensationAttempts(2)))
	c.succeed("a")
	c.lose("b")
	c.expectOut("b/compensate/1")
	return c
}

func TestRule9ASuccessAfterTheCompensationWasSentIsCompensatedOnceMore(t *testing.T) {
	t.Parallel()
	for name, earlier := range map[string]func(c *conversation){
		"it is out":                              func(*conversation) {},
		"it waits for its next attempt":          func(c *conversation) { c.fail("b") },
		"its second attempt is out":              func(c *conversation) { c.lose("b"); c.retries("b") },
		"it is done, and a is being compensated": func(c *conversation) { c.succeed("b"); c.out("a") },
		"it is done, and a cannot be compensated": func(c *conversation) {
			c.succeed("b")
			c.refuse("a")
			c.expectStatus(saga.Stuck)
		},
		"it is exhausted": func(c *conversation) {
			c.refuse("b")
			c.expectStatus(saga.Stuck)
		},
		"the saga is paused": func(c *conversation) {
			c.act(saga.ActionPause)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := compensatingB(t)
			earlier(c)
			c.late("b/execute/1", succeeded(`{"id":"b-1"}`))
			if c.is.Status == saga.Paused {
				c.expectSent()
				c.act(saga.ActionResume)
			}
			require.Equal(t, "s/b/compensate-2/1", c.sent("b").ID.String())
			require.Equal(t, "s/b/compensate-2", c.sent("b").ID.IdempotencyKey())
			require.JSONEq(t, `{"id":"b-1"}`, string(c.sent("b").Output))
			c.expectStatus(saga.Compensating)
			c.late("b/compensate/1", succeeded())
			c.expectNoEffect() // it answers the early compensation
			c.late("b/compensate/1", failed("busy", true))
			c.expectNoEffect()
			c.late("b/execute/1", succeeded(`{"id":"b-1"}`))
			c.expectNoEffect() // once more, not forever
			c.fail("b")
			c.retries("b")
			c.expectOutOf("b", "b/compensate-2/2")
		})
	}
}

// expectOutOf requires that this command of a step is out.
func (c *conversation) expectOutOf(step, wanted string) {
	c.t.Helper()
	require.Equal(c.t, "s/"+wanted, c.out(step).String())
}

func TestRule9TheStepsBeforeWaitForTheSecondCompensation(t *testing.T) {
	t.Parallel()
	c := compensatingB(t)
	c.late("b/execute/1", succeeded())
	c.expectOut("b/compensate-2/1")
	c.succeed("b")
	c.expectSent("a/compensate/1")
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule9AfterTheEndALateSuccessIsALateEffect(t *testing.T) {
	t.Parallel()
	c := compensatingB(t)
	c.succeed("b", "a")
	c.expectStatus(saga.Compensated)
	c.expectAllowed()
	revision := c.is.Revision
	c.late("b/execute/1", succeeded(`{"id":"b-1"}`))
	c.expectStatus(saga.Compensated)
	c.expectAttention(saga.LateEffect, "b")
	c.expectNewest(saga.EntryStepLateEffect, saga.EntryAttention)
	require.Equal(t, revision+1, c.is.Revision)
	c.expectAllowed(saga.ActionCompensate, saga.ActionAcknowledge)
	c.late("b/execute/1", succeeded(`{"id":"b-1"}`))
	c.expectNoEffect()
}

func TestRule9AnOperatorAcknowledgesALateEffect(t *testing.T) {
	t.Parallel()
	c := compensatingB(t)
	c.succeed("b", "a")
	c.late("b/execute/1", succeeded())
	c.act(saga.ActionAcknowledge)
	c.expectNewest(saga.EntryAcknowledged)
	c.expectStatus(saga.Compensated)
	c.expectNoAttention()
	c.expectAllowed()
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionCompensate, onStep("b"))
	c.late("b/execute/1", succeeded())
	c.expectNoEffect()
}

func TestRule9AnOperatorCompensatesALateEffect(t *testing.T) {
	t.Parallel()
	c := compensatingB(t)
	c.succeed("b", "a")
	c.late("b/execute/1", succeeded(`{"id":"b-1"}`))
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionCompensate, onStep("a"))
	c.act(saga.ActionCompensate, onStep("b"))
	c.expectNewest(saga.EntryReopened, saga.EntryCompensationSent)
	c.expectSent("b/compensate-2/1")
	c.expectStatus(saga.Compensating)
	c.expectAllowed(saga.ActionPause, saga.ActionAbandon)
	c.expectNoAttention()
	require.True(t, c.is.FinishedAt.IsZero())
	c.fail("b")
	c.retries("b")
	c.succeed("b")
	c.expectStatus(saga.Compensated)
	c.expectSteps("a compensated, b compensated")
	c.expectNoAttention()
}

func TestRule9AReopenedSagaCanBeStuckAndRepaired(t *testing.T) {
	t.Parallel()
	c := compensatingB(t)
	c.succeed("b", "a")
	c.late("b/execute/1", succeeded())
	c.act(saga.ActionCompensate) // the only late effect
	c.refuse("b")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.CompensationExhausted, "b")
	c.act(saga.ActionRetry)
	c.expectOut("b/compensate-2/2")
	c.late("b/compensate-2/1", succeeded())
	c.expectStatus(saga.Compensated)
}

func TestRule9SeveralLateEffectsAreCompensatedOneByOne(t *testing.T) {
	t.Parallel()
	def := saga.New("order").
		Step("a", "q.a", compensatedBy("a"), saga.AtOnce(), attempts(1)).
		Step("b", "q.b", compensatedBy("b"), saga.AtOnce(), attempts(1)).
		Step("plain", "q.plain", saga.AtOnce(), attempts(1))
	c := begin(t, def)
	c.lose("a")
	c.lose("b")
	c.lose("plain")
	c.succeed("a", "b")
	c.expectStatus(saga.Compensated)
	c.late("plain/execute/1", succeeded())
	c.expectAllowed(saga.ActionAcknowledge) // it has no compensation
	c.late("a/execute/1", succeeded())
	c.late("b/execute/1", succeeded())
	c.expectAttention(saga.LateEffect, "a")
	c.expectRefused(saga.RefusedNotApplicable, saga.ActionCompensate) // ambiguous
	c.act(saga.ActionCompensate, onStep("b"))
	c.expectSteps("a compensated, b compensating, plain succeeded")
	c.expectAttention(saga.LateEffect, "a")
	c.succeed("b")
	c.expectStatus(saga.Compensated)
	c.expectAttention(saga.LateEffect, "a")
	c.act(saga.ActionCompensate, onStep("a"))
	c.succeed("a")
	c.expectAttention(saga.LateEffect, "plain")
	c.act(saga.ActionAcknowledge)
	c.expectNoAttention()
}

func TestRule9ALateSuccessOfAnExhaustedCompensationGoesOnByItself(t *testing.T) {
	t.Parallel()
	c := compensatingB(t)
	c.lose("b")
	c.retries("b")
	c.lose("b")
	c.expectStatus(saga.Stuck)
	c.late("b/compensate/1", succeeded())
	c.expectSteps("a compensating, b compensated")
	c.expectStatus(saga.Compensating)
	c.expectNoAttention()
}

func TestRule9ALateSuccessOfAnExhaustedRetriableStepGoesOnByItself(t *testing.T) {
	t.Parallel()
	for name, earlier := range map[string]func(c *conversation){
		"unknown": func(c *conversation) { c.lose("r"); c.retries("r"); c.lose("r") },
		"failed":  func(c *conversation) { c.fail("r"); c.retries("r"); c.fail("r") }, // a command may be delivered twice
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, retriables())
			earlier(c)
			c.expectStatus(saga.Stuck)
			c.late("r/execute/1", succeeded(`{"id":"r-1"}`))
			c.expectSteps("r succeeded, u running")
			c.expectStatus(saga.Running)
			c.expectNoAttention()
			c.expectData(`{"id":"r-1"}`)
		})
	}
}

func TestRule9EveryOtherLateOrRepeatedReplyChangesNothing(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Step("b", "q.b", compensatedBy("b"), attempts(2), compensationAttempts(2)).Step("c", "q.c", attempts(1)))
	nothing := func(command string, replies ...saga.Reply) {
		t.Helper()
		for _, reply := range replies {
			c.late(command, reply)
			c.expectNoEffect()
		}
	}
	c.succeed("a")
	nothing("a/execute/1", succeeded(), succeeded(`{"x":1}`), failed("busy", true), failed("declined", false))
	c.lose("b")
	nothing("b/execute/1", failed("busy", true), failed("declined", false))
	c.retries("b")
	nothing("b/execute/1", failed("busy", true), failed("declined", false))
	c.succeed("b")
	c.refuse("c")
	nothing("c/execute/1", succeeded(), failed("declined", false)) // the worker reported that it took no effect
	c.lose("b")
	nothing("b/compensate/1", failed("busy", true))
	c.retries("b")
	nothing("b/compensate/1", failed("declined", false))
	c.succeed("b")
	nothing("b/compensate/2", succeeded(), failed("busy", true))
	nothing("b/execute/2", succeeded(), failed("busy", true))
	c.succeed("a")
	c.expectStatus(saga.Compensated)
	nothing("a/execute/1", succeeded(), failed("busy", false))
	nothing("a/compensate/1", succeeded(), failed("busy", false))
	nothing("c/execute/1", succeeded(), failed("busy", false))
}
