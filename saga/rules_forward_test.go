package saga_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rules 1 to 4 (docs/rules.md): going forward, failed attempts and failed steps.

func TestRule1AStepIsDispatchedOnceAllBeforeItAreDone(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	c.expectStatus(saga.Running)
	c.expectSent("a/execute/1")
	c.expectNewest(saga.EntryStarted, saga.EntryStepDispatched)
	c.succeed("a")
	c.expectSent("b/execute/1")
	c.expectSteps("a succeeded, b running")
	c.succeed("b")
	c.expectSent()
	c.expectStatus(saga.Completed)
	c.expectNewest(saga.EntryStepSucceeded, saga.EntryCompleted)
	require.Equal(t, c.now, c.is.FinishedAt)
}

func TestRule1BranchesRunInParallelAndMeetInAJoin(t *testing.T) {
	t.Parallel()
	c := begin(t, diamond())
	c.expectOut("a/execute/1")
	c.succeed("a")
	c.expectSent("b/execute/1", "c/execute/1")
	c.succeed("c")
	c.expectSent()
	c.expectSteps("a succeeded, b running, c succeeded, d pending")
	c.succeed("b")
	c.expectSent("d/execute/1")
	c.succeed("d")
	c.expectStatus(saga.Completed)
}

// diamond: b and c come after a, and d comes after both.
func diamond() *saga.Builder {
	return chain("a").
		Step("b", "q.b", compensatedBy("b"), saga.After("a"), attempts(2), compensationAttempts(1)).
		Step("c", "q.c", compensatedBy("c"), saga.After("a"), attempts(2), compensationAttempts(1)).
		Step("d", "q.d", compensatedBy("d"), saga.After("b", "c"), attempts(1), compensationAttempts(1))
}

func TestRule1AStepAfterASkippedOneIsDispatched(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables())
	c.refuse("r")
	c.act(saga.ActionSkip, onStep("r"))
	c.expectSteps("r skipped, u running")
	c.expectSent("u/execute/1")
}

// retriables only goes forward.
func retriables() *saga.Builder {
	return saga.New("order").Retriable("r", "q.r", attempts(2)).Retriable("u", "q.u", attempts(2))
}

func TestRule3AFailedAttemptIsMadeAgainByThePolicy(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", attempts(3)))
	c.fail("a")
	c.expectSteps("a retrying")
	c.expectOut()
	c.expectNewest(saga.EntryStepAttemptFailed)
	require.Equal(t, noon.Add(time.Second), c.step("a").NextAttemptAt)
	require.Equal(t, noon.Add(time.Second), c.is.WakeAt)
	c.advance(999 * time.Millisecond)
	c.expectOut()
	c.advance(time.Millisecond)
	c.expectOut("a/execute/2")
	c.fail("a")
	c.retries("a")
	require.Equal(t, noon.Add(3*time.Second), c.now, "the wait doubles")
	c.expectOut("a/execute/3")
	c.succeed("a")
	c.expectStatus(saga.Completed)
	require.Equal(t, 3, c.step("a").Attempts)
	require.Nil(t, c.step("a").Error)
}

func TestRule3TheWaitGrowsToItsLimitAndIsSpreadByTheJitter(t *testing.T) {
	t.Parallel()
	policy := saga.Retry(saga.Attempts(50), saga.Backoff(time.Second, 3, 10*time.Second), saga.Jitter(0.5))
	waits := func(id string) []time.Duration {
		c := begin(t, saga.New("order").Step("a", "q.a", policy), func(s *saga.Start) { s.ID = id })
		var all []time.Duration
		for range 6 {
			c.hear(saga.Reply{Command: c.out("a"), Error: &saga.ReplyError{Code: "busy", Retryable: true}})
			all = append(all, c.step("a").NextAttemptAt.Sub(c.now))
			c.advance(all[len(all)-1])
		}
		return all
	}
	first := waits("one")
	for i, seconds := range []float64{1, 3, 9, 10, 10, 10} {
		require.InDelta(t, seconds, first[i].Seconds(), seconds/2)
	}
	require.Equal(t, first, waits("one"), "the same saga always waits the same")
	require.NotEqual(t, first, waits("two"), "different sagas spread")
	require.NotEqual(t, first[0], first[1]/3, "different attempts spread")
}

func TestRule3AnAttemptWithoutAReplyInTimeIsOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), saga.Timeout(10*time.Second), attempts(2)))
	require.Equal(t, 10*time.Second, c.sent("a").Timeout)
	c.advance(10*time.Second - time.Nanosecond)
	c.expectOut("a/execute/1")
	c.advance(time.Nanosecond)
	c.expectSteps("a retrying")
	c.expectNewest(saga.EntryStepTimedOut)
	require.Equal(t, saga.CodeTimeout, c.step("a").Error.Code)
	c.retries("a")
	c.fail("a")
	c.expectSteps("a compensating") // unknown, because the outcome of the first attempt is
	c.expectHistory(saga.EntryStepUnknown, "a")
}

func TestRule3ALostCommandCountsAsUnknown(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), attempts(2)))
	lost := c.out("a")
	c.lose("a")
	c.expectSteps("a retrying")
	c.expectNewest(saga.EntryStepLost)
	require.Equal(t, saga.CodeDeadLettered, c.step("a").Error.Code)
	c.hear(saga.Lost{Command: lost})
	c.expectNoEffect()
	c.retries("a")
	c.lose("a")
	c.expectSteps("a compensating")
}

func TestRule3TheTimeDoesNotRunWhileACommandWaitsInTheOutbox(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), saga.Timeout(10*time.Second), attempts(1)))
	c.hold("a")
	c.advance(30 * time.Minute)
	c.expectOut("a/execute/1")
	require.Equal(t, 1, c.step("a").Attempts)
	c.expectHistory(saga.EntryStepDelayed, "a")
	c.advance(4 * time.Second)
	c.publish("a")
	c.expectNewest(saga.EntryStepPublished)
	c.advance(10*time.Second - time.Nanosecond)
	c.expectOut("a/execute/1")
	c.advance(time.Nanosecond)
	c.expectHistory(saga.EntryStepUnknown, "a")
}

// While the broker is down every saga waits: one history line for the first delay, then checks with doubling pauses.
func TestRule3ALongWaitInTheOutboxIsWrittenDownOnce(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"short": 100 * time.Millisecond, "usual": 30 * time.Second, "long": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), saga.Timeout(timeout), attempts(1)))
			c.hold("a")
			c.advance(timeout)
			c.expectNewest(saga.EntryStepDelayed)
			revision, entries, looks := c.is.Revision, c.is.Entries, 0
			var pauses []time.Duration
			for ends := c.now.Add(24 * time.Hour); c.now.Before(ends); looks++ {
				pauses = append(pauses, c.is.WakeAt.Sub(c.now))
				c.advance(c.is.WakeAt.Sub(c.now))
				require.False(t, c.last.Changed)
			}
			require.Equal(t, revision, c.is.Revision, "waiting is not a change")
			require.Equal(t, entries, c.is.Entries)
			require.Less(t, looks, 24*12+20, "the pauses double up to five minutes")
			require.LessOrEqual(t, slices.Max(pauses), max(timeout, 5*time.Minute), "and never exceed that, except for a longer timeout")
			c.publish("a")
			require.Equal(t, c.now.Add(timeout), c.step("a").DeadlineAt, "its timeout starts in its queue")
			c.advance(timeout - time.Nanosecond)
			c.expectOut("a/execute/1")
			c.advance(time.Nanosecond)
			c.expectHistory(saga.EntryStepUnknown, "a")
		})
	}
}

// Progress of another branch neither fails nor hides the waiting step.
func TestRule3ADelayedBranchDoesNotHoldUpTheOther(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", saga.AtOnce()).Step("b", "q.b", saga.AtOnce()).Step("c", "q.c", saga.After("b")))
	c.hold("a")
	c.advance(29 * time.Second)
	c.succeed("b")
	c.advance(20 * time.Second)
	c.succeed("c")
	c.advance(20 * time.Minute)
	c.expectOut("a/execute/1")
	require.Equal(t, 1, c.step("a").Attempts)
	c.publish("a")
	c.succeed("a")
	c.expectStatus(saga.Completed)
}

func TestRule3ACompensationThatWaitsInTheOutboxDoesNotTimeOut(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), saga.CompensationTimeout(time.Minute)).Step("b", "q.b"))
	c.succeed("a")
	c.refuse("b")
	require.Equal(t, time.Minute, c.sent("a").Timeout)
	c.hold("a")
	c.advance(time.Hour)
	c.expectOut("a/compensate/1")
	c.publish("a")
	require.Equal(t, c.now.Add(time.Minute), c.step("a").DeadlineAt)
}

func TestRule3PublishedSaysNothingOfACommandThatIsNotOut(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	old := c.out("a")
	c.succeed("a")
	c.hear(saga.Published{Command: old})
	c.expectNoEffect()
	c.hear(saga.Published{Command: saga.CommandID{Saga: "s", Step: "missing", Direction: saga.Execute, Round: 1, Attempt: 1}})
	c.expectNoEffect()
}

func TestRule4WhenAStepFailsFinally(t *testing.T) {
	t.Parallel()
	def := func() *saga.Builder {
		return saga.New("order").Step("a", "q.a").Step("b", "q.b",
			saga.Retry(saga.Attempts(2), saga.Jitter(0), saga.NonRetryable("card_declined")))
	}
	for name, says := range map[string]struct {
		how    func(c *conversation)
		status string
		code   string
	}{
		"a worker reports a final failure": {func(c *conversation) { c.refuse("b") }, "failed", "declined"},
		"the code is non-retryable":        {func(c *conversation) { c.answer("b", failed("card_declined", true)) }, "failed", "card_declined"},
		"the attempts are exhausted":       {func(c *conversation) { c.fail("b"); c.retries("b"); c.fail("b") }, "failed", "busy"},
		"every attempt timed out":          {func(c *conversation) { c.timeOut("b"); c.retries("b"); c.timeOut("b") }, "unknown", saga.CodeTimeout},
		"the first attempt timed out":      {func(c *conversation) { c.timeOut("b"); c.retries("b"); c.fail("b") }, "unknown", "busy"},
		"the last attempt timed out":       {func(c *conversation) { c.fail("b"); c.retries("b"); c.timeOut("b") }, "unknown", saga.CodeTimeout},
		"lost, then refused":               {func(c *conversation) { c.lose("b"); c.retries("b"); c.refuse("b") }, "unknown", "declined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, def())
			c.succeed("a")
			says.how(c)
			c.expectSteps("a succeeded, b " + says.status)
			c.expectFailure("b", says.code)
			c.expectStatus(saga.Compensated) // neither step has a compensation
		})
	}
}

func TestRule3NoWaitIsLongerThanTheMaxIntervalWhateverTheJitter(t *testing.T) {
	t.Parallel()
	steady := saga.Retry(saga.Attempts(50), saga.Backoff(time.Second, 1, time.Second), saga.Jitter(0.5))
	c := begin(t, saga.New("order").Step("a", "q.a", steady))
	shorter := 0
	for range 40 {
		c.fail("a")
		wait := c.step("a").NextAttemptAt.Sub(c.now)
		require.LessOrEqual(t, wait, time.Second)
		require.GreaterOrEqual(t, wait, time.Second/2)
		if wait < time.Second {
			shorter++
		}
		c.retries("a")
	}
	require.Greater(t, shorter, 10)
}

func unmergeable(fault string) saga.Reply {
	return saga.Reply{Succeeded: true, Output: json.RawMessage(`{"x":"\u0000"}`), OutputFault: fault}
}

// A success whose output breaks a limit took effect anyway, so the attempt is not repeated.
// The total size of all outputs is limited: each is kept for its compensation, even if later outputs overwrite it in
// the data.
