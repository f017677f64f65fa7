package saga_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// give gives a signal, which must be taken in.
func (c *conversation) give(signal string, with ...func(*saga.Signal)) {
	c.t.Helper()
	decision := c.signal(signal, with...)
	require.Nil(c.t, decision.Refused, "the signal is refused: %v", decision.Refused)
	require.True(c.t, decision.Changed, decision.Ignored)
}

func (c *conversation) signal(name string, with ...func(*saga.Signal)) saga.Decision {
	c.t.Helper()
	c.actions++
	signal := saga.Signal{ID: fmt.Sprintf("signal-%d", c.actions), Name: name, Actor: "ann"}
	for _, change := range with {
		change(&signal)
	}
	return c.hear(signal)
}

func (c *conversation) expectSignalRefused(code, name string, with ...func(*saga.Signal)) {
	c.t.Helper()
	decision := c.signal(name, with...)
	require.NotNil(c.t, decision.Refused, "the signal was taken in")
	require.Equal(c.t, code, decision.Refused.Code)
}

func giving(output string) func(*saga.Signal) {
	return func(s *saga.Signal) { s.Output = json.RawMessage(output) }
}

func refusing(code string) func(*saga.Signal) {
	return func(s *saga.Signal) { s.Error = &saga.StepError{Code: code, Message: "no"} }
}

func keyed(key, hash string) func(*saga.Signal) {
	return func(s *saga.Signal) { s.Key, s.Hash = key, []byte(hash) }
}

func approval(options ...saga.StepOption) *saga.Builder {
	return saga.New("order").Step("a", "q.a", compensatedBy("a")).
		WaitForSignal("approval", "approved", options...).Step("b", "q.b")
}

func TestRule18AStepWaitsForItsSignal(t *testing.T) {
	t.Parallel()
	c := begin(t, approval(saga.OutputAs("by")))
	c.succeed("a")
	c.expectSteps("a succeeded, approval running, b pending")
	require.Equal(t, saga.WaitForSignal, c.step("approval").Waiting)
	c.advance(1000 * time.Hour)
	c.expectStatus(saga.Running)
	require.Nil(t, c.is.Attention, "a wait is not overdue")
	c.give("approved", giving(`{"who":"ann"}`))
	c.expectSteps("a succeeded, approval succeeded, b running")
	c.expectData(`{"by":{"who":"ann"}}`)
	c.succeed("b")
	c.expectStatus(saga.Completed)
	c.expectSignalRefused(saga.RefusedNotApplicable, "approved")
}

func TestRule18ASignalThatComesEarlyIsKept(t *testing.T) {
	t.Parallel()
	c := begin(t, approval())
	c.give("approved", giving(`{"ok":true}`))
	c.expectSteps("a running, approval pending, b pending")
	c.expectSignalRefused(saga.RefusedSignalTaken, "approved")
	c.expectSignalRefused(saga.RefusedUnknownSignal, "shipped")
	c.succeed("a")
	c.expectSteps("a succeeded, approval succeeded, b running")
	c.expectData(`{"ok":true}`)
	c.expectSignalRefused(saga.RefusedSignalTaken, "approved")
}

func TestRule18ASignalCountsOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, approval())
	once := func(s *saga.Signal) { s.ID = "request-1" }
	c.give("approved", once, keyed("k", "body"))
	require.False(t, c.signal("approved", once).Changed, "the same request again, after an unknown commit")
	again := c.signal("approved", keyed("k", "body"))
	require.Nil(t, again.Refused)
	require.False(t, again.Changed)
	c.expectSignalRefused(saga.RefusedIdempotencyConflict, "approved", keyed("k", "other"))
}

func TestRule18ARefusalOrATimeoutFailsTheStepWithoutAnEffect(t *testing.T) {
	t.Parallel()
	c := begin(t, approval(saga.CompensatedBy("q.withdraw")))
	c.succeed("a")
	c.give("approved", refusing("too_expensive"))
	c.expectFailure("approval", "too_expensive")
	c.expectSteps("a compensating, approval failed, b pending")

	late := begin(t, approval(saga.Timeout(72*time.Hour)))
	late.succeed("a")
	late.advance(72*time.Hour - time.Second)
	late.expectSteps("a succeeded, approval running, b pending")
	late.advance(time.Second)
	late.expectFailure("approval", saga.CodeSignalTimeout)
	late.expectSignalRefused(saga.RefusedNotApplicable, "approved")
}

func TestRule18AWaitThatSucceededIsCompensated(t *testing.T) {
	t.Parallel()
	c := begin(t, approval(saga.CompensatedBy("q.withdraw")))
	c.succeed("a")
	c.give("approved", giving(`{"ticket":7}`))
	c.refuse("b")
	c.expectSteps("a succeeded, approval compensating, b failed")
	require.JSONEq(t, `{"ticket":7}`, string(c.last.Commands[0].Output))
	require.True(t, c.last.Commands[0].Waited, "its worker has never seen the step")
	c.succeed("approval")
	require.False(t, c.last.Commands[0].Waited)
	c.succeed("a")
	c.expectStatus(saga.Compensated)
}

func TestRule18ASagaThatTurnsBackEndsItsWaitsAtOnce(t *testing.T) {
	t.Parallel()
	for _, add := range []func(*saga.Builder) *saga.Builder{
		func(b *saga.Builder) *saga.Builder { return b.WaitForSignal("w", "go") },
		func(b *saga.Builder) *saga.Builder { return b.Delay("w", time.Hour) },
		func(b *saga.Builder) *saga.Builder { return b.WaitUntil("w", "/at") },
		func(b *saga.Builder) *saga.Builder { return b.WaitForSignal("w", "go", saga.AsKind(saga.Pivot)) },
	} {
		c := begin(t, add(saga.New("order").Step("a", "q.a", compensatedBy("a"))), startData(`{"at":"2027-01-01T00:00:00Z"}`))
		c.succeed("a")
		c.expectSteps("a succeeded, w running")
		c.act(saga.ActionCompensate)
		c.expectSteps("a compensating, w failed")
		c.succeed("a")
		c.expectStatus(saga.Compensated)
	}
}

func startData(data string) func(*saga.Start) {
	return func(s *saga.Start) { s.Data = json.RawMessage(data) }
}

func TestRule18ARetriableWaitThatFailedTakesALateSignal(t *testing.T) {
	t.Parallel()
	waits := func() *conversation {
		return begin(t, saga.New("order").WaitForSignal("w", "go", saga.AsKind(saga.Retriable), saga.Timeout(time.Hour)))
	}
	c := waits()
	c.advance(time.Hour)
	c.expectAttention(saga.RetriesExhausted, "w")
	c.give("go")
	c.expectStatus(saga.Completed)

	c = waits()
	c.advance(time.Hour)
	c.act(saga.ActionRetry)
	c.expectSteps("w running")
	require.Equal(t, c.now.Add(time.Hour), c.step("w").DeadlineAt, "it waits anew")
	c.give("go", refusing("no"))
	c.expectAttention(saga.RetriesExhausted, "w")
	c.act(saga.ActionRetry)
	c.give("go")
	c.expectStatus(saga.Completed)
}

func TestRule18AfterARewindAStepWaitsForANewSignal(t *testing.T) {
	t.Parallel()
	c := begin(t, approval(saga.CompensatedBy("q.withdraw")))
	c.succeed("a")
	c.give("approved")
	c.expectSteps("a succeeded, approval succeeded, b running")
	c.act(saga.ActionRewind, to("approval"))
	c.refuse("b")
	c.succeed("approval")
	c.expectSteps("a succeeded, approval running, b pending")
	c.give("approved")
	c.succeed("b")
	c.expectStatus(saga.Completed)
}

func to(step string) func(*saga.Action) { return func(a *saga.Action) { a.To = step } }

func TestRule18ASignalThatWasNotTakenIsKeptThroughARewind(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]bool{"given before": false, "given during": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a")).WaitForSignal("approval", "approved"))
			if !during {
				c.give("approved", func(s *saga.Signal) { s.Output = []byte(`{"by":"ada"}`) })
			}
			c.act(saga.ActionRewind, to("a"))
			if during {
				c.give("approved", func(s *saga.Signal) { s.Output = []byte(`{"by":"ada"}`) })
			}
			c.succeed("a") // its compensation
			c.succeed("a")
			c.succeed("a")
			c.expectStatus(saga.Completed)
			c.expectData(`{"by":"ada"}`)
		})
	}
}

func TestRule18ARewindLeavesTheWaitsOfOtherBranches(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").WaitForSignal("w", "go").Step("a", "q.a", saga.AtOnce(), compensatedBy("a")).Step("b", "q.b"))
	c.succeed("a")
	c.act(saga.ActionRewind, to("a"))
	c.refuse("b")
	c.expectSteps("w running, a compensating, b failed")
	c.expectStatus(saga.Compensating)
	c.give("go")
	c.expectSteps("w succeeded, a compensating, b failed")
	c.succeed("a")
	c.expectSteps("w succeeded, a running, b pending")
}

func TestRule18APausedSagaTakesASignalIn(t *testing.T) {
	t.Parallel()
	c := begin(t, approval())
	c.succeed("a")
	c.act(saga.ActionPause)
	c.give("approved")
	c.expectSteps("a succeeded, approval succeeded, b pending")
	c.act(saga.ActionResume)
	c.expectSteps("a succeeded, approval succeeded, b running")
}

func TestRule19ADelayAndATimeInTheData(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Delay("d", 24*time.Hour).WaitUntil("u", "/ship/at").Step("b", "q.b"),
		startData(`{"ship":{"at":"2026-11-25T14:00:00+02:00"}}`))
	c.advance(24*time.Hour - time.Second)
	c.expectSteps("d running, u pending, b pending")
	c.advance(time.Second)
	c.expectSteps("d succeeded, u running, b pending")
	c.advance(24 * time.Hour)
	c.expectSteps("d succeeded, u succeeded, b running")
	require.Equal(t, noon.Add(48*time.Hour), c.now)
}

func TestRule19ATimeThatHasPassedIsNoWaitAndNoneFails(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").WaitUntil("u", "/at").WaitUntil("v", "/at"), startData(`{"at":"2026-01-01T00:00:00Z"}`))
	c.expectStatus(saga.Completed)
	for _, data := range []string{`{}`, `{"at":null}`, `{"at":7}`, `{"at":"tomorrow"}`, `{"at":{"x":1}}`, `{"at":"9999-12-31T23:59:59-12:00"}`, `{"at":"2200-01-01T00:00:00Z"}`} {
		c := begin(t, saga.New("order").WaitUntil("u", "/at"), startData(data))
		c.expectStatus(saga.Compensated)
		c.expectFailure("u", saga.CodeInvalidTime)
	}
}

func TestRule21TheInputOfAStepIsAPartOfTheData(t *testing.T) {
	t.Parallel()
	const data = `{"orderId":"42","lines":[{"sku":"x"},{"sku":"y"}],"none":null,"a/b":1}`
	for _, one := range []struct {
		input map[string]saga.Pointer
		want  string
	}{
		{nil, data},
		{map[string]saga.Pointer{}, `{}`},
		{map[string]saga.Pointer{"order": "/orderId", "sku": "/lines/1/sku", "gone": "/lines/2", "n": "/none", "s": "/a~1b"}, `{"order":"42","sku":"y","n":null,"s":1}`},
		{map[string]saga.Pointer{"all": ""}, `{"all":` + data + `}`},
	} {
		c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), saga.Input(one.input)).Step("b", "q.b"), startData(data))
		require.JSONEq(t, one.want, string(c.last.Commands[0].Data))
		c.succeed("a")
		c.refuse("b")
		require.JSONEq(t, one.want, string(c.last.Commands[0].Data), "the compensation gets the same part")
	}
}

func TestRule21AnInputThatIsTooLargeFailsItsStep(t *testing.T) {
	t.Parallel()
	input := make(map[string]saga.Pointer)
	for i := range 10 {
		input[fmt.Sprintf("copy-%d", i)] = ""
	}
	half := startData(`{"text":"` + strings.Repeat("x", saga.MaxDataBytes/2) + `"}`)
	c := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a")).Step("b", "q.b", saga.Input(input)), half)
	c.succeed("a")
	c.expectSteps("a compensating, b failed")
	c.expectFailure("b", saga.CodeInputTooLarge)

	grown := begin(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), saga.Input(input)).Step("b", "q.b"))
	grown.answer("a", saga.Reply{Succeeded: true, Output: []byte(`{"text":"` + strings.Repeat("x", saga.MaxDataBytes/2) + `"}`)})
	grown.refuse("b")
	grown.expectAttention(saga.CompensationExhausted, "a")
	grown.act(saga.ActionPatchData, func(a *saga.Action) { a.Patch = []byte(`{"text":null}`) })
	grown.act(saga.ActionRetry)
	grown.succeed("a")
	grown.expectStatus(saga.Compensated)

	child := begin(t, saga.New("order").Child("c", "other", saga.Input(map[string]saga.Pointer{"x": "", "y": "", "z": ""})), half)
	child.expectFailure("c", saga.CodeInputTooLarge)
}

func TestWaitsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for body, pointer := range map[string]string{
		`{"name":"a","signal":"s","command":"q.a"}`:                      "/steps/0/signal",
		`{"name":"a","signal":"s","delay":"1s"}`:                         "/steps/0/delay",
		`{"name":"a","signal":""}`:                                       "/steps/0/signal",
		`{"name":"a","signal":"a b"}`:                                    "/steps/0/signal",
		`{"name":"a","signal":"s","retry":{"max_attempts":2}}`:           "/steps/0/retry",
		`{"name":"a","signal":"s","queue":"q"}`:                          "/steps/0/queue",
		`{"name":"a","signal":"s"},{"name":"b","signal":"s"}`:            "/steps/1/signal",
		`{"name":"a","delay":"0s"}`:                                      "/steps/0/delay",
		`{"name":"a","delay":"-1s"}`:                                     "/steps/0/delay",
		`{"name":"a","delay":"1h","timeout":"1s"}`:                       "/steps/0/timeout",
		`{"name":"a","until":""}`:                                        "/steps/0/until",
		`{"name":"a","until":"ship_at"}`:                                 "/steps/0/until",
		`{"name":"a","until":"/a~2"}`:                                    "/steps/0/until",
		`{"name":"a","until":"/at","compensation":"q.c","kind":"pivot"}`: "/steps/0/compensation",
		`{"name":"a","command":"q.a","input":{"x":"y"}}`:                 "/steps/0/input/x",
		`{"name":"a","command":"q.a","input":{"":"/y"}}`:                 "/steps/0/input/",
		`{"name":"a","command":"q.a","input":["/y"]}`:                    "/steps/0/input",
		`{"name":"a","command":"q.a","output_schema":7}`:                 "/steps/0/output_schema",
		`{"name":"a"}`:                                 "/steps/0/command",
		`{"name":"a","command":"q.a","when":""}`:       "/steps/0/when",
		`{"name":"a","command":"q.a","output_as":""}`:  "/steps/0/output_as",
		`{"name":"a","signal":"s","input":{"x":"/y"}}`: "/steps/0/input",
		`{"name":"a","delay":"1d"}`:                    "/steps/0/delay",
		`{"name":"a","saga":""}`:                       "/steps/0/saga",
		`{"name":"a","saga":"b","compensation":"q.c"}`: "/steps/0/compensation",
		`{"name":"a","saga":"b","timeout":"1s"}`:       "/steps/0/timeout",
	} {
		_, err := saga.ParseDefinition("order", 0, []byte(`{"steps":[`+body+`]}`))
		faults, is := errors.AsType[saga.Faults](err)
		require.True(t, is, body)
		require.Len(t, faults, 1, body)
		require.Equal(t, pointer, faults[0].Pointer, body)
	}
}

func TestADefinitionWithWaitsIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	built, err := saga.New("order").DataSchema(json.RawMessage(`{"type": "object"}`)).
		WaitForSignal("s", "go", saga.Timeout(time.Hour), saga.OutputAs("s"), saga.CompensatedBy("mail.withdraw")).
		Delay("d", time.Minute, saga.When("data.slow")).WaitUntil("u", "/at").
		Step("a", "q.a", saga.Input(map[string]saga.Pointer{}), saga.OutputSchema(json.RawMessage(`{"minimum":1.0,"a":2}`))).Build()
	require.NoError(t, err)
	text, err := json.Marshal(built)
	require.NoError(t, err)
	require.Equal(t, []string{"mail", "q"}, built.Queues())
	for _, read := range []func(string, int, []byte) (*saga.Definition, error){saga.ParseDefinition, saga.ReadDefinition} {
		again, err := read("order", 0, text)
		require.NoError(t, err)
		require.Equal(t, built, again)
	}
}

func TestRule18ASignalFromBeforeARetryDoesNotCountAgain(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").WaitForSignal("w", "go", saga.AsKind(saga.Retriable)))
	c.give("go", refusing("no"), keyed("k", "body"))
	c.act(saga.ActionRetry)
	again := c.signal("go", refusing("no"), keyed("k", "body"))
	require.Nil(t, again.Refused)
	require.False(t, again.Changed, "its caller has repeated the request")
	c.expectSignalRefused(saga.RefusedIdempotencyConflict, "go", keyed("k", "other"))
	for range saga.MaxEarlierSignals {
		c.give("go", refusing("no"))
		c.act(saga.ActionRetry)
	}
	require.Len(t, c.step("w").EarlierSignals, saga.MaxEarlierSignals)
	c.give("go", keyed("k", "body"))
	c.expectStatus(saga.Completed)
}

func TestRule18AStepWhoseConditionHasNoValueTakesNoSignal(t *testing.T) {
	t.Parallel()
	c := beginCompiled(t, saga.New("order").WaitForSignal("w", "go", saga.AsKind(saga.Retriable), saga.When("data.big")), `{}`)
	c.expectAttention(saga.RetriesExhausted, "w")
	c.expectSignalRefused(saga.RefusedNotApplicable, "go")
}
