package saga_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rules 1 to 4 of how a saga moves: going forward, and when an attempt or a step has failed.

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
		Step("b", "q.b", undo("b"), saga.After("a"), attempts(2), undoAttempts(1)).
		Step("c", "q.c", undo("c"), saga.After("a"), attempts(2), undoAttempts(1)).
		Step("d", "q.d", undo("d"), saga.After("b", "c"), attempts(1), undoAttempts(1))
}

func TestRule1AStepAfterASkippedOneIsDispatched(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables())
	c.refuse("r")
	c.act(saga.ActionSkip, onStep("r"))
	c.expectSteps("r skipped, u running")
	c.expectSent("u/execute/1")
}

// retriables is a plan that goes forward only.
func retriables() *saga.Builder {
	return saga.New("plan").Retriable("r", "q.r", attempts(2)).Retriable("u", "q.u", attempts(2))
}

func TestRule2OutputsAreMergedIntoTheData(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"), func(s *saga.Start) { s.Data = json.RawMessage(`{"order":"42","nested":{"x":1}}`) })
	require.JSONEq(t, `{"order":"42","nested":{"x":1}}`, string(c.sent("a").Data))
	c.answer("a", succeeded(`{"reservation":"r-7","nested":{"y":2},"gone":null,"big":12345678901234567890}`))
	const merged = `{"order":"42","nested":{"y":2},"gone":null,"reservation":"r-7","big":12345678901234567890}`
	c.expectData(merged)
	require.JSONEq(t, merged, string(c.sent("b").Data), "the next command carries the data as of its dispatch")
	require.Contains(t, string(c.is.Data), "12345678901234567890", "numbers keep their spelling")
	require.Nil(t, c.sent("b").Output, "an execution carries no output")
	c.succeed("b")
	c.expectData(merged)
}

func TestRule2ASagaWithoutDataHasAnEmptyObject(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a"))
	c.expectData(`{}`)
}

func TestRule2AnOutputThatTheDataCannotHoldIsNoSuccess(t *testing.T) {
	t.Parallel()
	tooLarge := succeeded(`{"x":"` + strings.Repeat("x", saga.MaxDataBytes) + `"}`)
	c := begin(t, chain("a"))
	c.answer("a", tooLarge)
	c.expectFailure("a", saga.CodeDataTooLarge)
	c.expectSteps("a compensating")
	c.expectData(`{}`)

	c.late("a/execute/1", tooLarge)
	c.expectNoEffect() // the same answer once more is no second answer
	c.succeed("a")
	c.expectStatus(saga.Compensated)
	c.late("a/execute/1", tooLarge)
	c.expectNoEffect()
}

func TestRule3AFailedAttemptIsMadeAgainByThePolicy(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("plan").Step("a", "q.a", attempts(3)))
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
		c := begin(t, saga.New("plan").Step("a", "q.a", policy), func(s *saga.Start) { s.ID = id })
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
	c := begin(t, saga.New("plan").Step("a", "q.a", undo("a"), saga.Timeout(10*time.Second), attempts(2)))
	require.Equal(t, 10*time.Second, c.sent("a").Timeout)
	c.advance(10*time.Second - time.Nanosecond)
	c.expectOut("a/execute/1")
	c.advance(time.Nanosecond)
	c.expectSteps("a retrying")
	c.expectNewest(saga.EntryStepTimedOut)
	require.Equal(t, saga.CodeTimeout, c.step("a").Error.Code)
	c.retries("a")
	c.fail("a")
	c.expectSteps("a compensating") // unknown, since the first attempt's outcome is
	c.expectHistory(saga.EntryStepUnknown, "a")
}

func TestRule3ALostCommandCountsAsUnknown(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("plan").Step("a", "q.a", undo("a"), attempts(2)))
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
	c := begin(t, saga.New("plan").Step("a", "q.a", undo("a"), saga.Timeout(10*time.Second), attempts(1)))
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

// While the broker is away every saga waits: one line of history for the first delay, then looks that double.
func TestRule3ALongWaitInTheOutboxIsWrittenDownOnce(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"short": 100 * time.Millisecond, "usual": 30 * time.Second, "long": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, saga.New("plan").Step("a", "q.a", undo("a"), saga.Timeout(timeout), attempts(1)))
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
			require.Equal(t, revision, c.is.Revision, "what waits is no change")
			require.Equal(t, entries, c.is.Entries)
			require.Less(t, looks, 24*12+20, "looks double, to one in five minutes")
			require.LessOrEqual(t, slices.Max(pauses), max(timeout, 5*time.Minute), "and are never further apart, but for a longer timeout")
			c.publish("a")
			require.Equal(t, c.now.Add(timeout), c.step("a").DeadlineAt, "its time begins when it is in its queue")
			c.advance(timeout - time.Nanosecond)
			c.expectOut("a/execute/1")
			c.advance(time.Nanosecond)
			c.expectHistory(saga.EntryStepUnknown, "a")
		})
	}
}

// What its branches do meanwhile neither fails nor hides the step that waits.
func TestRule3ADelayedBranchDoesNotHoldUpTheOther(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("plan").Step("a", "q.a", saga.AtOnce()).Step("b", "q.b", saga.AtOnce()).Step("c", "q.c", saga.After("b")))
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
	c := begin(t, saga.New("plan").Step("a", "q.a", undo("a"), saga.CompensationTimeout(time.Minute)).Step("b", "q.b"))
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
	c.hear(saga.Published{Command: saga.CommandID{Saga: "s", Step: "nobody", Direction: saga.Execute, Round: 1, Attempt: 1}})
	c.expectNoEffect()
}

func TestRule4WhenAStepFailsFinally(t *testing.T) {
	t.Parallel()
	def := func() *saga.Builder {
		return saga.New("plan").Step("a", "q.a").Step("b", "q.b",
			saga.Retry(saga.Attempts(2), saga.Jitter(0), saga.NonRetryable("card_declined")))
	}
	for name, says := range map[string]struct {
		how    func(c *conversation)
		status string
		code   string
	}{
		"a worker says that it may not be retried": {func(c *conversation) { c.refuse("b") }, "failed", "declined"},
		"the code is one that is not retried":      {func(c *conversation) { c.answer("b", failed("card_declined", true)) }, "failed", "card_declined"},
		"the attempts are used up":                 {func(c *conversation) { c.fail("b"); c.retries("b"); c.fail("b") }, "failed", "busy"},
		"every attempt timed out":                  {func(c *conversation) { c.timeOut("b"); c.retries("b"); c.timeOut("b") }, "unknown", saga.CodeTimeout},
		"the first attempt timed out":              {func(c *conversation) { c.timeOut("b"); c.retries("b"); c.fail("b") }, "unknown", "busy"},
		"the last attempt timed out":               {func(c *conversation) { c.fail("b"); c.retries("b"); c.timeOut("b") }, "unknown", saga.CodeTimeout},
		"lost, then refused":                       {func(c *conversation) { c.lose("b"); c.retries("b"); c.refuse("b") }, "unknown", "declined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, def())
			c.succeed("a")
			says.how(c)
			c.expectSteps("a succeeded, b " + says.status)
			c.expectFailure("b", says.code)
			c.expectStatus(saga.Compensated) // neither step has anything to undo
		})
	}
}

func TestRule2APersonMakesRoomForAnOutputThatMustNotBeLost(t *testing.T) {
	t.Parallel()
	half := `"` + strings.Repeat("x", saga.MaxDataBytes/2) + `"`
	c := begin(t, retriables(), func(s *saga.Start) { s.Data = json.RawMessage(`{"first":` + half + `}`) })
	tooLarge := succeeded(`{"second":` + half + `}`)
	c.answer("r", tooLarge)
	c.expectSteps("r unknown, u pending")
	c.expectAttention(saga.RetriesExhausted, "r")
	c.late("r/execute/1", tooLarge)
	c.expectNoEffect()
	c.act(saga.ActionPatchData, patch(`{"first":null}`))
	c.act(saga.ActionRetry)
	c.answer("r", tooLarge)
	c.expectSteps("r succeeded, u running")
}

func TestRule2ALateSuccessOfAUsedUpStepIsNoSuccessWithoutRoom(t *testing.T) {
	t.Parallel()
	c := begin(t, retriables())
	c.refuse("r")
	tooLarge := succeeded(`{"x":"` + strings.Repeat("x", saga.MaxDataBytes) + `"}`)
	c.late("r/execute/1", tooLarge)
	c.expectSteps("r unknown, u pending")
	require.Equal(t, saga.CodeDataTooLarge, c.step("r").Error.Code)
	c.late("r/execute/1", tooLarge)
	c.expectNoEffect()
}

func TestRule3NoWaitIsLongerThanTheMaxIntervalWhateverTheJitter(t *testing.T) {
	t.Parallel()
	steady := saga.Retry(saga.Attempts(50), saga.Backoff(time.Second, 1, time.Second), saga.Jitter(0.5))
	c := begin(t, saga.New("plan").Step("a", "q.a", steady))
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

// A success whose output breaks a limit took effect all the same. It is no lost reply: the attempt is not made again.
func TestRule2AnOutputThatBreaksALimitIsNoSuccessAndNoFailure(t *testing.T) {
	t.Parallel()
	bad := unmergeable("output: a NUL character at byte 6")
	c := begin(t, saga.New("plan").Step("a", "q.a", undo("a"), attempts(5)))
	c.answer("a", bad)
	c.expectSteps("a compensating")
	c.expectFailure("a", saga.CodeInvalidOutput)
	require.Equal(t, 1, c.step("a").Attempts, "it is not made again")
	require.Equal(t, "output: a NUL character at byte 6", c.step("a").Error.Message)
	require.Equal(t, saga.CodeInvalidOutput, c.last.OutputFault, "the reply is worth keeping")
	c.expectData(`{}`)
	c.late("a/execute/1", bad)
	c.expectNoEffect()
	require.Empty(t, c.last.OutputFault, "once")
	c.succeed("a")
	c.expectStatus(saga.Compensated)

	retriable := begin(t, retriables())
	retriable.answer("r", bad)
	retriable.expectAttention(saga.RetriesExhausted, "r")
	retriable.act(saga.ActionSkip, onStep("r"), giving(`{"x":"right"}`))
	retriable.expectSteps("r skipped, u running")

	pivot := begin(t, saga.New("plan").Pivot("p", "q.p"))
	pivot.answer("p", bad)
	pivot.expectAttention(saga.PivotUnknown, "p")

	undone := begin(t, chain("a", "b"))
	undone.succeed("a")
	undone.refuse("b")
	undone.answer("a", bad)
	undone.expectStatus(saga.Compensated) // the output of a compensation goes nowhere
}

// The outputs of all steps together have a limit: each is kept for its compensation, even where the data was overwritten.
func TestTheOutputsOfASagaHaveALimitTogether(t *testing.T) {
	t.Parallel()
	const frame = len(`{"x":""}`)
	part := func(bytes int) saga.Reply { return succeeded(`{"x":"` + strings.Repeat("x", bytes-frame) + `"}`) }
	const each = 800_000
	left := saga.MaxOutputsBytes - 5*each
	for last, fits := range map[int]bool{left: true, left + 1: false} {
		c := begin(t, chain("a", "b", "c", "d", "e", "f"))
		for _, step := range []string{"a", "b", "c", "d", "e"} {
			c.answer(step, part(each))
		}
		c.answer("f", part(last))
		if fits {
			c.expectStatus(saga.Completed)
			continue
		}
		c.expectFailure("f", saga.CodeDataTooLarge)
		require.Contains(t, c.step("f").Error.Message, "4194304 bytes")
		require.Equal(t, saga.CodeDataTooLarge, c.last.OutputFault)
	}
}
