package saga_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// doublingSchema applies each of so many schemas twice to the same value.
func doublingSchema(levels int) json.RawMessage {
	var document strings.Builder
	document.WriteString(`{"$ref":"#/$defs/a0","$defs":{`)
	for i := range levels {
		fmt.Fprintf(&document, `"a%d":{"allOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, i+1, i+1)
	}
	fmt.Fprintf(&document, `"a%d":{}}}`, levels)
	return json.RawMessage(document.String())
}

func TestRule20AConditionBeyondItsCostFailsTheStep(t *testing.T) {
	t.Parallel()
	data := fmt.Sprintf(`{"s":%q}`, strings.Repeat("a", 100_000))
	c := beginCompiled(t, saga.New("order").Step("a", "q.a", saga.When("data.s.matches(data.s)")), data)
	c.expectSteps("a failed")
	require.Equal(t, saga.CodeConditionFailed, c.is.Steps[0].Error.Code)
	require.Contains(t, c.is.Steps[0].Error.Message, "cost limit exceeded")
}

// What was stored before it had a limit is read, and its sagas run: only what is checked fails.
func TestRule22AStoredSchemaBeyondItsCostFailsItsChecks(t *testing.T) {
	t.Parallel()
	c := beginCompiled(t, saga.New("order").Step("a", "q.a", compensatedBy("a"), saga.OutputSchema(doublingSchema(28))), `{}`)
	c.answer("a", succeeded(`{"id":1}`))
	require.Equal(t, saga.CodeInvalidOutput, c.is.Steps[0].Error.Code)
	require.Contains(t, c.is.Steps[0].Error.Message, "cannot be checked")

	definition := saga.New("order").DataSchema(doublingSchema(28)).Step("a", "q.a").MustBuild()
	compiler, err := definitions.NewCompiler()
	require.NoError(t, err)
	require.NoError(t, definition.Compile(compiler))
	require.Len(t, definition.CheckData(json.RawMessage(`{}`)), 1)
}

func TestACostlyDefinitionIsRefusedWhereItIsRegistered(t *testing.T) {
	t.Parallel()
	definition := saga.New("order").DataSchema(doublingSchema(16)).
		Step("a", "q.a", saga.OutputSchema(doublingSchema(28))).
		Step("b", "q.b", saga.When(`data.s.matches("`+strings.Repeat("(a{0,1000})", 30)+`")`)).MustBuild()
	require.Empty(t, definition.Refusals(), "before it is compiled")
	compiler, err := definitions.NewCompiler()
	require.NoError(t, err)
	require.NoError(t, definition.Compile(compiler))
	refusals := definition.Refusals()
	require.Len(t, refusals, 3)
	require.Equal(t, "/data_schema", refusals[0].Pointer)
	require.Equal(t, "/steps/0/output_schema", refusals[1].Pointer)
	require.Equal(t, "/steps/1/when", refusals[2].Pointer)
	require.Contains(t, refusals[0].Message, "10000 schemas")
	require.Contains(t, refusals[2].Message, "10000 instructions")
}

// The turns of many steps may come at once, because those that are skipped make others ready.
func TestRule20ConditionsThatAreEvaluatedAtOnceHaveALimitTogether(t *testing.T) {
	t.Parallel()
	b := saga.New("order").Step("first", "q.first", compensatedBy("first"))
	for i := range 30 {
		b.Step(fmt.Sprintf("s%d", i), "q.a", saga.When(`data.l.exists(x, data.l.exists(y, x + y > 9))`))
	}
	numbers := strings.TrimSuffix(strings.Repeat("1,2,3,4,", 75), ",")
	c := beginCompiled(t, b, `{"l":[`+numbers+`]}`)
	c.answer("first", succeeded(`{}`))
	require.Equal(t, saga.StepSkipped, c.is.Steps[1].Status)
	failed := slices.IndexFunc(c.is.Steps, func(s saga.StepState) bool { return s.Status == saga.StepFailed })
	require.Greater(t, failed, 2)
	require.Equal(t, saga.CodeConditionFailed, c.is.Steps[failed].Error.Code)
	require.Contains(t, c.is.Steps[failed].Error.Message, "evaluated at once take too long together")
	require.Greater(t, c.last.Work, saga.MaxConditionWork)
	require.Less(t, c.last.Work, 2*saga.MaxConditionWork)
}

func TestTheSchemasOfADefinitionHaveALimitTogether(t *testing.T) {
	t.Parallel()
	var large strings.Builder
	large.WriteString(`{"$defs":{"a":{}`)
	for i := range 1100 {
		fmt.Fprintf(&large, `,"a%d":{"$ref":"#/$defs/a"}`, i)
	}
	large.WriteString(`}}`)
	b := saga.New("order")
	for i := range 20 {
		b.Step(fmt.Sprintf("s%d", i), "q.a", saga.OutputSchema(json.RawMessage(large.String())))
	}
	definition := b.MustBuild()
	compiler, err := definitions.NewCompiler()
	require.NoError(t, err)
	require.NoError(t, definition.Compile(compiler))
	refusals := definition.Refusals()
	require.NotEmpty(t, refusals)
	require.Greater(t, refusals[0].Pointer, "/steps/2/")
	require.Contains(t, refusals[0].Message, "together with the schemas before it")
}
