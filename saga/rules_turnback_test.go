package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rules 5, 10 and 14 (docs/rules.md): what turns a saga back, and what then happens to commands that are out.

func TestRule5AFinalFailureTurnsTheSagaBack(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b", "c"))
	c.succeed("a")
	c.refuse("b")
	c.expectStatus(saga.Compensating)
	c.expectSteps("a compensating, b failed, c pending")
	c.expectSent("a/compensate/1")
	c.expectFailure("b", "declined")
	require.Equal(t, "the worker says declined", c.is.Failure.Message)
	c.succeed("a")
	c.expectStatus(saga.Compensated)
	c.expectSteps("a compensated, b failed, c pending")
	c.expectNewest(saga.EntryStepCompensated, saga.EntryCompensated)
}

func TestRule5WhatIsOutIsWaitedForBeforeAnythingIsCompensated(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]struct {
		end   func(c *conversation)
		steps string
		sent  []string
	}{
		"it succeeds":    {func(c *conversation) { c.succeed("c") }, "a succeeded, b failed, c compensating, d pending", []string{"c/compensate/1"}},
		"it fails":       {func(c *conversation) { c.fail("c") }, "a compensating, b failed, c failed, d pending", []string{"a/compensate/1"}},
		"it is refused":  {func(c *conversation) { c.refuse("c") }, "a compensating, b failed, c failed, d pending", []string{"a/compensate/1"}},
		"it is lost":     {func(c *conversation) { c.lose("c") }, "a succeeded, b failed, c compensating, d pending", []string{"c/compensate/1"}},
		"it never comes": {func(c *conversation) { c.timeOut("c") }, "a succeeded, b failed, c compensating, d pending", []string{"c/compensate/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, diamond())
			c.succeed("a")
			c.refuse("b")
			c.expectStatus(saga.Compensating)
			c.expectSteps("a succeeded, b failed, c running, d pending")
			c.expectSent()
			says.end(c)
			c.expectSteps(says.steps)
			c.expectSent(says.sent...)
		})
	}
}

func TestRule5AStepThatWaitsForItsNextAttemptGetsNone(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]struct {
		earlier func(c *conversation)
		steps   string
	}{
		"all its attempts failed":          {func(c *conversation) { c.fail("c") }, "a compensating, b failed, c failed, d pending"},
		"an attempt's outcome is unknown":  {func(c *conversation) { c.lose("c") }, "a succeeded, b failed, c compensating, d pending"},
		"a timed out attempt counts alike": {func(c *conversation) { c.fail("b"); c.timeOut("c"); c.out("b") }, "a succeeded, b failed, c compensating, d pending"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, diamond())
			c.succeed("a")
			says.earlier(c)
			c.refuse("b")
			c.expectSteps(says.steps)
			c.expectStatus(saga.Compensating)
		})
	}
}

func TestRule5WhatFellDueTogetherIsNotSentAgainWhereItTurnsTheSagaBack(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", saga.AtOnce(), compensatedBy("a"), attempts(2)).
		Step("b", "q.b", saga.AtOnce(), compensatedBy("b"), attempts(1)))
	c.fail("a")
	c.now = noon.Add(time.Hour) // no wake came: a's next attempt is due, and b has timed out
	c.wake()
	c.expectSteps("a failed, b compensating")
	c.expectSent("b/compensate/1")
}

func TestRule5ACancelTurnsTheSagaBack(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.act(saga.ActionCompensate)
	c.expectNewest(saga.EntryCancelRequested, saga.EntryCompensating)
	c.expectFailure("", saga.CodeCancelled)
	require.Equal(t, "because", c.is.Failure.Message)
	c.expectSteps("a succeeded, b running")
	c.succeed("b")
	c.expectSent("b/compensate/1")
	c.succeed("b", "a")
	c.expectStatus(saga.Compensated)
}

func TestRule10TheDeadlineIsAFailureBeforeThePivot(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Deadline(10*time.Second).Step("b", "q.b", compensatedBy("b"), attempts(2)))
	require.Equal(t, noon.Add(10*time.Second), c.is.DeadlineAt)
	c.succeed("a")
	c.advance(10*time.Second - time.Nanosecond)
	c.expectStatus(saga.Running)
	c.advance(time.Nanosecond)
	c.expectStatus(saga.Compensating)
	c.expectFailure("", saga.CodeDeadlineExceeded)
	c.expectHistory(saga.EntryDeadlineExceeded, "")
	c.expectSteps("a succeeded, b running")
	c.fail("b")
	c.expectSteps("a compensating, b failed")
	c.advance(time.Hour)
	require.Equal(t, saga.CodeDeadlineExceeded, c.is.Failure.Code)
}

func TestRule10TheStartsOwnDeadlineGoesBeforeTheDefinitions(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Deadline(time.Hour), func(s *saga.Start) { s.Deadline = time.Second })
	c.advance(time.Second)
	c.expectStatus(saga.Compensating)
}

func TestRule10NoAttemptIsDispatchedOnceTheDeadlineHasPassed(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Deadline(10*time.Second).Step("a", "q.a", compensatedBy("a"), attempts(3)))
	c.fail("a")
	c.now = noon.Add(time.Minute) // no wake came for a minute
	c.wake()
	c.expectSent()
	c.expectSteps("a failed")
	c.expectStatus(saga.Compensated)
}

func TestRule10ASuccessAfterTheDeadlineDispatchesNothingMoreEvenBeforeItsTimerFires(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b").Deadline(10*time.Second))
	c.now = noon.Add(11 * time.Second)
	c.succeed("a")
	c.expectSteps("a compensating, b pending")
	c.expectFailure("", saga.CodeDeadlineExceeded)
}

func TestRule10ThePivotsSuccessCommitsTheSagaEvenAfterTheDeadline(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Deadline(10*time.Second).Pivot("p", "q.p").Retriable("r", "q.r"))
	c.now = noon.Add(11 * time.Second)
	c.succeed("p")
	c.expectSteps("p succeeded, r running")
	c.expectAttention(saga.DeadlineExceeded, "")
}

func TestRule10NothingIsDispatchedOnResumeOnceTheDeadlineHasPassed(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Deadline(10*time.Second).Pivot("p", "q.p"))
	c.act(saga.ActionPause)
	c.succeed("a")
	c.advance(time.Minute)
	c.act(saga.ActionResume)
	c.expectSteps("a compensating, p pending")
	c.expectFailure("", saga.CodeDeadlineExceeded)
}

func TestRule10PastThePivotTheDeadlineAsksForAttention(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Deadline(10*time.Second).Pivot("p", "q.p").Retriable("r", "q.r", attempts(2)))
	c.succeed("p")
	c.expectNoAttention()
	c.advance(10 * time.Second)
	c.expectStatus(saga.Running)
	c.expectAttention(saga.DeadlineExceeded, "")
	require.Equal(t, noon.Add(10*time.Second), c.is.Attention.Since)
	c.fail("r")
	c.expectAttention(saga.DeadlineExceeded, "")
	require.Equal(t, noon.Add(10*time.Second), c.is.Attention.Since, "Since does not move")
	c.retries("r")
	c.succeed("r")
	c.expectStatus(saga.Completed)
	c.expectNoAttention()
}

func TestRule10ASagaOfRetriableStepsAloneOnlyAsksForAttention(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables().Deadline(time.Second))
	c.advance(time.Second)
	c.expectStatus(saga.Running)
	c.expectAttention(saga.DeadlineExceeded, "")
}

// withThePivotOut runs a test for both reasons to turn back, a cancel and the deadline, while the pivot is out.
func withThePivotOut(t *testing.T, says func(t *testing.T, c *conversation, code string)) {
	t.Helper()
	def := func() *saga.Builder {
		return chain("a").Deadline(10*time.Second).Pivot("p", "q.p", attempts(3)).Retriable("r", "q.r")
	}
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		c := begin(t, def())
		c.succeed("a")
		c.act(saga.ActionCompensate)
		says(t, c, saga.CodeCancelled)
	})
	t.Run("deadline", func(t *testing.T) {
		t.Parallel()
		c := begin(t, def())
		c.succeed("a")
		c.advance(10 * time.Second)
		says(t, c, saga.CodeDeadlineExceeded)
	})
}

func TestRule14ATurnWaitsForThePivotThatIsOut(t *testing.T) {
	t.Parallel()
	withThePivotOut(t, func(_ *testing.T, c *conversation, _ string) {
		c.expectStatus(saga.Running)
		c.expectOut("p/execute/1")
		c.expectAllowed(saga.ActionPause, saga.ActionAbandon)
	})
}

func TestRule14ThePivotSucceedsAndTheSagaGoesForward(t *testing.T) {
	t.Parallel()
	withThePivotOut(t, func(t *testing.T, c *conversation, code string) {
		t.Helper()
		c.succeed("p")
		c.expectStatus(saga.Running)
		c.expectOut("r/execute/1")
		require.Equal(t, code, c.expectHistory(saga.EntryCancelTooLate, "p").Detail["code"])
		require.Nil(t, c.is.TurnBack)
		c.succeed("r")
		c.expectStatus(saga.Completed)
	})
}

func TestRule14ThePivotFailsAndGetsNoFurtherAttempt(t *testing.T) {
	t.Parallel()
	withThePivotOut(t, func(_ *testing.T, c *conversation, code string) {
		c.fail("p")
		c.expectSteps("a compensating, p failed, r pending")
		c.expectFailure("", code)
	})
}

func TestRule14ThePivotsOutcomeIsUnknownAndTheSagaIsStuck(t *testing.T) {
	t.Parallel()
	withThePivotOut(t, func(_ *testing.T, c *conversation, _ string) {
		c.timeOut("p")
		c.expectSteps("a succeeded, p unknown, r pending")
		c.expectStatus(saga.Stuck)
		c.expectAttention(saga.PivotUnknown, "p")
	})
}

func TestRule14APivotThatWaitsForItsNextAttemptGetsNone(t *testing.T) {
	t.Parallel()
	def := chain("a").Pivot("p", "q.p", attempts(3))
	c := begin(t, def)
	c.succeed("a")
	c.fail("p")
	c.act(saga.ActionCompensate)
	c.expectSteps("a compensating, p failed")

	c = begin(t, def)
	c.succeed("a")
	c.lose("p")
	c.act(saga.ActionCompensate)
	c.expectSteps("a succeeded, p unknown")
	c.expectStatus(saga.Stuck)
	c.expectAttention(saga.PivotUnknown, "p")
	c.late("p/execute/1", succeeded())
	c.expectStatus(saga.Completed)
	c.expectHistory(saga.EntryCancelTooLate, "p")
}

func TestRule14BothACancelAndTheDeadline(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Deadline(10*time.Second).Pivot("p", "q.p", attempts(3)).Retriable("r", "q.r"))
	c.succeed("a")
	c.act(saga.ActionCompensate)
	c.advance(10 * time.Second)
	c.expectStatus(saga.Running)
	c.succeed("p")
	c.expectAttention(saga.DeadlineExceeded, "")
}
