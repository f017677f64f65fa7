package saga_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Rule 2 (docs/rules.md): outputs and the data of a saga.

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
	c.expectNoEffect() // a duplicate answer
	c.succeed("a")
	c.expectStatus(saga.Compensated)
	c.late("a/execute/1", tooLarge)
	c.expectNoEffect()
}

func TestRule2AnOperatorMakesRoomForAnOutputThatMustNotBeLost(t *testing.T) {
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

func TestRule2ALateSuccessOfAnExhaustedStepDoesNotCountWithoutRoom(t *testing.T) {
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

func TestRule2AnOutputThatBreaksALimitIsNoSuccessAndNoFailure(t *testing.T) {
	t.Parallel()
	bad := unmergeable("output: a NUL character at byte 6")
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), attempts(5)))
	c.answer("a", bad)
	c.expectSteps("a compensating")
	c.expectFailure("a", saga.CodeInvalidOutput)
	require.Equal(t, 1, c.step("a").Attempts, "it is not repeated")
	require.Equal(t, "output: a NUL character at byte 6", c.step("a").Error.Message)
	require.Equal(t, saga.CodeInvalidOutput, c.last.OutputFault, "the reply is kept for the operator")
	c.expectData(`{}`)
	c.late("a/execute/1", bad)
	c.expectNoEffect()
	require.Empty(t, c.last.OutputFault, "once")
	c.succeed("a")
	c.expectStatus(saga.Compensated)

	retriable := begin(t, retriables())
	retriable.answer("r", bad)
	retriable.expectAttention(saga.InvalidOutput, "r")
	retriable.act(saga.ActionSkip, onStep("r"), withOutput(`{"x":"right"}`))
	retriable.expectSteps("r skipped, u running")

	pivot := begin(t, saga.New("order").Pivot("p", "q.p"))
	pivot.answer("p", bad)
	pivot.expectAttention(saga.InvalidOutput, "p")
	pivot.act(saga.ActionRetry)
	pivot.answer("p", failed("already_charged", false))
	pivot.expectAttention(saga.InvalidOutput, "p") // it took effect, whatever a later attempt says
	pivot.expectRefused(saga.RefusedNotApplicable, saga.ActionCompensate)
	pivot.act(saga.ActionRetry)
	pivot.succeed("p")
	pivot.expectStatus(saga.Completed)

	reversed := begin(t, chain("a", "b"))
	reversed.succeed("a")
	reversed.refuse("b")
	reversed.answer("a", bad)
	reversed.expectStatus(saga.Compensated) // the output of a compensation is dropped
}

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
