package saga_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// beginCompiled starts a saga of a definition with conditions or schemas.
func beginCompiled(t *testing.T, def *saga.Builder, data string) *conversation {
	t.Helper()
	definition, err := def.Build()
	require.NoError(t, err)
	compiler, err := definitions.NewCompiler()
	require.NoError(t, err)
	require.NoError(t, definition.Compile(compiler))
	c := &conversation{t: t, def: definition, now: noon, bodies: map[string]string{}, unpublished: map[string]bool{}}
	decision, err := definition.Start(saga.Start{ID: "s", At: noon, Actor: "caller", Data: json.RawMessage(data)})
	require.NoError(t, err)
	require.NoError(t, definition.Check(&decision.Next))
	c.take(decision)
	return c
}

func TestRule20AConditionThatIsFalseSkipsTheStep(t *testing.T) {
	t.Parallel()
	def := func() *saga.Builder {
		return saga.New("order").Step("a", "q.a", compensatedBy("a")).
			Step("b", "q.b", compensatedBy("b"), saga.When(`data.amount > 100`)).Step("c", "q.c")
	}
	c := beginCompiled(t, def(), `{"amount":100}`)
	c.answer("a", succeeded(`{"amount":50}`))
	c.expectSteps("a succeeded, b skipped, c running")
	c.refuse("c")
	c.expectSteps("a compensating, b skipped, c failed")
	c.succeed("a")
	c.expectStatus(saga.Compensated)

	c = beginCompiled(t, def(), `{"amount":100}`)
	c.answer("a", succeeded(`{"amount":101}`))
	c.expectSteps("a succeeded, b running, c pending")
}

func TestRule20AConditionIsDecidedOnceWhenItsTurnComes(t *testing.T) {
	t.Parallel()
	c := beginCompiled(t, saga.New("order").Step("a", "q.a", saga.AtOnce()).
		Step("b", "q.b", saga.AtOnce(), attempts(3), saga.When(`!has(data.stop)`)), `{}`)
	c.answer("a", succeeded(`{"stop":true}`))
	c.fail("b")
	c.retries("b")
	c.expectSteps("a succeeded, b running")
}

func TestRule20AConditionWithoutAValueFailsTheStep(t *testing.T) {
	t.Parallel()
	def := func() *saga.Builder {
		return saga.New("order").Step("a", "q.a", compensatedBy("a")).Step("b", "q.b", compensatedBy("b"), saga.When(`data.amount > 100`))
	}
	c := beginCompiled(t, def(), `{}`)
	c.succeed("a")
	c.expectFailure("b", saga.CodeConditionFailed)
	c.expectSteps("a compensating, b failed")

	c = beginCompiled(t, def().OnFailure(saga.Park), `{}`)
	c.succeed("a")
	c.expectAttention(saga.StepFailure, "b")
	c.act(saga.ActionPatchData, patch(`{"amount":7}`))
	c.act(saga.ActionRetry)
	c.expectStatus(saga.Completed)
	c.expectSteps("a succeeded, b skipped")
}

func TestRule20ASagaWhoseStepsAreAllSkippedIsCompleted(t *testing.T) {
	t.Parallel()
	c := beginCompiled(t, saga.New("order").Step("b", "q.b", saga.When(`false`), saga.After("a")).Step("a", "q.a", saga.AtOnce(), saga.When(`false`)), `{}`)
	c.expectStatus(saga.Completed)
	pivot := beginCompiled(t, saga.New("order").Pivot("p", "q.p", saga.When(`false`)).Retriable("r", "q.r"), `{}`)
	pivot.expectSteps("p skipped, r running")
}

func TestRule22AnOutputThatBreaksItsSchemaTookEffect(t *testing.T) {
	t.Parallel()
	needsID := saga.OutputSchema(json.RawMessage(`{"required":["id"],"properties":{"id":{"type":"string"}}}`))
	for _, bad := range []saga.Reply{succeeded(), succeeded(`{}`), succeeded(`{"id":7}`)} {
		c := beginCompiled(t, saga.New("order").Step("a", "q.a", needsID, compensatedBy("a")), `{}`)
		c.answer("a", bad)
		c.expectFailure("a", saga.CodeInvalidOutput)
		c.expectSteps("a compensating")
		c.succeed("a")
		c.expectStatus(saga.Compensated)
	}
	c := beginCompiled(t, saga.New("order").Pivot("p", "q.p", needsID), `{}`)
	c.answer("p", succeeded(`{"id":7}`))
	c.expectAttention(saga.InvalidOutput, "p")
	require.Equal(t, []saga.ActionName{saga.ActionRetry, saga.ActionSkip, saga.ActionPatchData, saga.ActionAbandon}, c.def.AllowedActions(&c.is))
	c.expectRefused(saga.RefusedInvalidOutput, saga.ActionSkip, onStep("p"))
	c.act(saga.ActionSkip, onStep("p"), withOutput(`{"id":"7"}`))
	c.expectStatus(saga.Completed)
	c.expectData(`{"id":"7"}`)

	r := beginCompiled(t, saga.New("order").Retriable("r", "q.r", needsID), `{}`)
	r.answer("r", succeeded(`{}`))
	r.expectAttention(saga.InvalidOutput, "r")
	r.act(saga.ActionRetry)
	r.answer("r", succeeded(`{"id":"7"}`))
	r.expectStatus(saga.Completed)

	s := beginCompiled(t, saga.New("order").WaitForSignal("w", "go", needsID), `{}`)
	s.expectSignalRefused(saga.RefusedInvalidOutput, "go", giving(`{"id":7}`))
	s.give("go", giving(`{"id":"7"}`))
	s.expectStatus(saga.Completed)
}

func TestRule22TheDataOfAStartIsChecked(t *testing.T) {
	t.Parallel()
	c := beginCompiled(t, saga.New("order").DataSchema(json.RawMessage(`{"required":["id"]}`)).Step("a", "q.a"), `{"id":1}`)
	require.Empty(t, c.def.CheckData(json.RawMessage(`{"id":1}`)))
	require.NotEmpty(t, c.def.CheckData(nil))
}

func TestADefinitionWithConditionsRunsOnlyOnceItIsCompiled(t *testing.T) {
	t.Parallel()
	definition := saga.New("order").Step("a", "q.a", saga.When("true")).MustBuild()
	_, err := definition.Start(saga.Start{ID: "s", At: noon})
	require.ErrorIs(t, err, saga.ErrNotCompiled)
	compiler, err := definitions.NewCompiler()
	require.NoError(t, err)
	bad := saga.New("order").Step("a", "q.a", saga.When("1")).Step("b", "q.b", saga.OutputSchema(json.RawMessage(`{"type":7}`))).MustBuild()
	err = bad.Compile(compiler)
	require.ErrorContains(t, err, "/steps/0/when")
	require.ErrorContains(t, err, "/steps/1/output_schema")
}

func TestRule20AStepThatFailsAtOnceLetsNoOtherBegin(t *testing.T) {
	t.Parallel()
	c := beginCompiled(t, saga.New("order").Step("a", "q.a").Step("b", "q.b", saga.After("a")).
		WaitUntil("c", "/at", saga.After("a")), `{}`)
	c.succeed("a")
	require.Empty(t, c.last.Commands)
	c.expectSteps("a succeeded, b pending, c failed")
	c.expectStatus(saga.Compensated)
}

// The words of CEL may quote the data, in a spelling that a search for the value does not find.
func TestAConditionOverSensitiveDataDoesNotSayWhyItFails(t *testing.T) {
	t.Parallel()
	for sensitive, says := range map[string]string{"": "0'Brien", "/card": "is not shown"} {
		def := saga.New("order").Step("a", "q.a", saga.When(`data[data.card] > 3`))
		if sensitive != "" {
			def = def.Sensitive(saga.Pointer(sensitive))
		}
		c := beginCompiled(t, def, `{"card":"0'Brien"}`)
		require.Equal(t, saga.CodeConditionFailed, c.step("a").Error.Code)
		require.Contains(t, c.step("a").Error.Message, says)
		require.Equal(t, sensitive == "", strings.Contains(c.step("a").Error.Message, "Brien"))
	}
}
