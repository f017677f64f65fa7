package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rules 5 and 17 (docs/rules.md): a saga that turns back withdraws what settings of a queue hold back. Nothing of it was
// sent, so nothing of it is awaited or compensated.

func (c *conversation) expectWithdrawn(wanted ...string) {
	c.t.Helper()
	var withdrawn []string
	for _, id := range c.last.Withdrawn {
		withdrawn = append(withdrawn, id.String())
	}
	require.Equal(c.t, wanted, withdrawn)
}

func TestRule17ACancelWithdrawsACommandThatIsHeldBack(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.holdBack("b")
	c.act(saga.ActionCompensate)
	c.expectWithdrawn("s/b/execute/1")
	c.expectSteps("a compensating, b failed")
	c.expectSent("a/compensate/1")
	require.Equal(t, &saga.StepError{Code: saga.CodeCancelled, Message: "the saga turned back before the command was sent"}, c.step("b").Error)
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule17WhatOnlyWaitsForTheBrokerIsAwaited(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a"))
	c.hold("a") // it may have been sent, and the confirm be lost
	c.act(saga.ActionCompensate)
	c.expectWithdrawn()
	c.expectSteps("a running")
	c.expectStatus(saga.Compensating)
}

func TestRule17AnEarlierAttemptOfUnknownOutcomeIsCompensatedAllTheSame(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), attempts(2)))
	c.timeOut("a")
	c.retries("a")
	c.holdBack("a")
	c.act(saga.ActionCompensate)
	c.expectWithdrawn("s/a/execute/2")
	c.expectSteps("a compensating")
	c.expectSent("a/compensate/1")
	require.Equal(t, saga.CodeTimeout, c.step("a").Error.Code, "it says what happened to the attempt that was sent")
}

func TestRule17TheDeadlineWithdrawsToo(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Deadline(time.Hour))
	c.holdBack("a")
	c.advance(time.Hour)
	c.expectWithdrawn("s/a/execute/1")
	c.expectStatus(saga.Compensated)
	c.expectFailure("", saga.CodeDeadlineExceeded)
}

func TestRule17AFailureBesideItWithdrawsAtTheNextWake(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a")
	held := c.out("c").String()
	c.refuse("b") // a reply does not look into the outbox
	c.expectSteps("a succeeded, b failed, c running, d pending")
	c.holdBack("c")
	c.wake()
	c.expectWithdrawn(held)
	c.expectSteps("a compensating, b failed, c failed, d pending")
}

func TestRule17APivotThatIsHeldBackHasAKnownOutcome(t *testing.T) {
	t.Parallel()
	for name, asks := range map[string]func(c *conversation){
		"at once": func(c *conversation) { c.holdBack("p"); c.act(saga.ActionCompensate) },
		"seen later": func(c *conversation) {
			c.act(saga.ActionCompensate)
			c.expectSteps("a succeeded, p running, r pending")
			c.holdBack("p")
			c.wake()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, committing())
			c.succeed("a")
			asks(c)
			c.expectWithdrawn("s/p/execute/1")
			c.expectSteps("a compensating, p failed, r pending")
			c.expectFailure("", saga.CodeCancelled)
		})
	}
}

func TestRule17ADeadlineOverridesARewindThatWaitsForThePivot(t *testing.T) {
	t.Parallel()
	c := begin(t, committing().Deadline(time.Hour))
	c.succeed("a")
	rewindTo("a")(c)
	c.expectHistory(saga.EntryRewindRequested, "a")
	c.holdBack("p")
	c.now = noon.Add(time.Hour)
	c.wake()
	c.expectWithdrawn("s/p/execute/1")
	c.expectSteps("a compensating, p failed, r pending")
	c.succeed("a")
	c.expectStatus(saga.Compensated) // it does not go forward again
}

func TestRule17ARewindWithdrawsAndSendsAnotherExecution(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.holdBack("b")
	rewindTo("b")(c)
	c.expectWithdrawn("s/b/execute/1")
	c.expectStatus(saga.Running)
	c.expectOut("b/execute-2/1")
}

func TestRule17ARewindOfAnotherBranchWithdrawsNothing(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a")
	c.succeed("b")
	c.holdBack("c")
	rewindTo("b")(c)
	c.expectWithdrawn()
	c.wake()
	c.expectWithdrawn()
	c.expectOutOf("c", "c/execute/1")
}

func TestRule17ACancelDuringARewindWithdrawsTheOtherBranchToo(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a")
	c.succeed("b")
	c.holdBack("c")
	rewindTo("b")(c)
	c.act(saga.ActionCompensate)
	c.expectWithdrawn("s/c/execute/1")
	c.expectSteps("a succeeded, b compensating, c failed, d pending")
}

func TestRule17APausedSagaWithdrawsWhenItIsCancelledOrResumed(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a")
	c.act(saga.ActionPause)
	c.refuse("b")
	c.holdBack("c")
	c.wake()
	c.expectWithdrawn()
	c.act(saga.ActionResume)
	c.expectWithdrawn("s/c/execute/1")
	c.expectSteps("a compensating, b failed, c failed, d pending")
}

func TestRule17ASagaThatGoesForwardKeepsItsCommand(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a"))
	c.holdBack("a")
	c.advance(24 * time.Hour)
	c.expectWithdrawn()
	c.expectSteps("a running")
}

func TestRule17AnAbandonedSagaLeavesNothingToSend(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.succeed("a")
	c.holdBack("c")
	c.act(saga.ActionAbandon)
	c.expectWithdrawn("s/c/execute/1")
	c.expectStatus(saga.Abandoned)
}

func TestRule17ACompensationThatIsHeldBackGoesWithItsAbandonedSaga(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.succeed("a")
	c.refuse("b")
	c.holdBack("a")
	c.act(saga.ActionAbandon)
	c.expectWithdrawn("s/a/compensate/1")
}

func TestRule17AnAttemptThatALateSuccessMakesNeedlessIsNotSent(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), attempts(2)))
	c.timeOut("a")
	c.retries("a")
	held := c.out("a").String()
	c.late("a/execute/1", succeeded())
	c.expectStatus(saga.Completed)
	c.held[held] = true
	c.wake()
	c.expectWithdrawn("s/a/execute/2")
	require.False(t, c.last.Changed)
}
