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
		{Pointer: "/amount", Message: "must be at least 0"},
	}, compiled.Check(json.RawMessage(`{"amount":-1}`)))
	assert.Empty(t, compile(t, `true`).Check(json.RawMessage(`{}`)))
	assert.NotEmpty(t, compile(t, `false`).Check(json.RawMessage(`{}`)))
}

// The texts reach viewers and webhooks, who must not see what is sensitive.
func TestAFaultDoesNotQuoteTheValue(t *testing.T) {
	t.Parallel()
	for document, wanted := range map[string]string{
		`{"pattern":"^a$"}`:                     `does not match pattern "^a$"`,
		`{"const":"a"}`:                         "value must be 'a'",
		`{"enum":["a","b"]}`:                    "value must be one of 'a', 'b'",
		`{"maxLength":3}`:                       "maxLength: got 10, want 3",
		`{"type":"number"}`:                     "got string, want number",
		`{"not":{}}`:                            "'not' failed",
		`{"oneOf":[{"const":1},{"const":"a"}]}`: "value must be 1",
		`{"contentEncoding":"base64"}`:          "",
		`{"format":"email"}`:                    "",
	} {
		found := compile(t, document).Check(json.RawMessage(`"SECRET 411"`))
		if wanted == "" {
			assert.Empty(t, found, "%s is an annotation", document)
			continue
		}
		require.NotEmpty(t, found, document)
		assert.Equal(t, wanted, found[0].Message)
		assert.NotContains(t, found.Error(), "SECRET")
	}
	for document, wanted := range map[string]string{
		`{"minimum":5000}`:          "must be at least 5000",
		`{"maximum":3.5}`:           "must be at most 3.5",
		`{"exclusiveMinimum":4111}`: "must be more than 4111",
		`{"exclusiveMaximum":4110}`: "must be less than 4110",
		`{"multipleOf":7}`:          "must be a multiple of 7",
	} {
		found := compile(t, document).Check(json.RawMessage(`4111`))
		require.Len(t, found, 1, document)
		assert.Equal(t, wanted, found[0].Message)
	}
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
