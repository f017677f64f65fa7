package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/schema"
)

const order = `{"type":"object","required":["orderId"],"properties":{"orderId":{"type":"string"},
	"amount":{"$ref":"#/$defs/money"}},"$defs":{"money":{"type":"number","minimum":0}}}`

func compile(t *testing.T, document string) saga.Schema {
	t.Helper()
	compiled, err := schema.Compile(json.RawMessage(document))
	require.NoError(t, err)
	return compiled
}

func TestASchemaNamesEachFaultWithItsPointer(t *testing.T) {
	t.Parallel()
	compiled := compile(t, order)
	assert.Empty(t, compiled.Check(json.RawMessage(`{"orderId":"1","amount":3}`)))
	assert.ElementsMatch(t, saga.Faults{
		{Pointer: "", Message: "missing property 'orderId'"},
		{Pointer: "/amount", Message: "minimum: got -1, want 0"},
	}, compiled.Check(json.RawMessage(`{"amount":-1}`)))
	assert.Empty(t, compile(t, `true`).Check(json.RawMessage(`{}`)))
	assert.NotEmpty(t, compile(t, `false`).Check(json.RawMessage(`{}`)))
}

func TestAPointerEscapesTheNames(t *testing.T) {
	t.Parallel()
	compiled := compile(t, `{"properties":{"a/b~c":{"type":"string"}}}`)
	found := compiled.Check(json.RawMessage(`{"a/b~c":1}`))
	require.Len(t, found, 1)
	assert.Equal(t, "/a~1b~0c", found[0].Pointer)
}

func TestWhatIsNotASchemaIsRefused(t *testing.T) {
	t.Parallel()
	for document, message := range map[string]string{
		`{"type":"money"}`:                                      "is not a JSON Schema",
		`{"minimum":"1"}`:                                       "is not a JSON Schema",
		`{"$ref":"#/$defs/none"}`:                               "is not a JSON Schema",
		`{"pattern":"("}`:                                       "is not a JSON Schema",
		`{"$ref":"file:///etc/passwd"}`:                         "may only refer to itself",
		`{"$ref":"http://127.0.0.1/schema.json"}`:               "may only refer to itself",
		`{"$schema":"http://127.0.0.1/draft.json"}`:             "$schema must be https://json-schema.org/draft/2020-12/schema",
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`: "$schema must be",
		`{"$ref":"#"}`:                                          "refers to itself without end",
		`{"allOf":[{"$ref":"#"}]}`:                              "refers to itself without end",
		`{`:                                                     "is not valid JSON",
	} {
		_, err := schema.Compile(json.RawMessage(document))
		require.ErrorContains(t, err, message, document)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestTheFaultsOfOneValueAreBounded(t *testing.T) {
	t.Parallel()
	compiled := compile(t, `{"properties":{"l":{"items":{"type":"string"}}}}`)
	value := `{"l":[1` + strings.Repeat(",1", 5000) + `]}`
	assert.Len(t, compiled.Check(json.RawMessage(value)), saga.MaxFaults)
}
