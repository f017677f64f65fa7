package resource_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// A saga is encoded as encoding/json does it, whatever its texts contain.
func TestASagaIsEncodedAsUsual(t *testing.T) {
	t.Parallel()
	marker := `"data":null,"output":null`
	for rule, shown := range map[string]resource.Saga{
		"empty":      {},
		"no outputs": {Data: json.RawMessage(`{}`), Steps: []resource.SagaStep{{}, {}}},
		"some outputs": {
			Data: json.RawMessage(`{"a":1}`), Steps: []resource.SagaStep{{Output: json.RawMessage(`{"b":2}`)}, {}, {Output: json.RawMessage(`{"c":3}`)}},
		},
		"white space": {Data: json.RawMessage("{ \"a\" :\n[ 1, \"x y\" ] }"), Steps: []resource.SagaStep{{Output: json.RawMessage(` {} `)}}},
		"texts that look like the members": {
			Key: resource.Text(marker), Definition: marker, Data: json.RawMessage(`{"data":null,"output":null}`),
			Labels:  map[string]string{"output": "null", "data": marker},
			Failure: &resource.Failure{Step: resource.Text(marker), Code: marker, Message: marker},
			Steps: []resource.SagaStep{
				{Name: marker, Output: json.RawMessage(`{"data":null,"output":null}`), Error: &saga.StepError{Code: marker, Message: marker}}, {Queue: resource.Text(marker)},
			},
		},
		"texts of other scripts": {Data: json.RawMessage("{\"é\":\"\u2028<&>\"}")},
	} {
		want, err := saga.EncodeJSON(shown)
		require.NoError(t, err, rule)
		got, err := shown.AppendJSON()
		require.NoError(t, err, rule)
		assert.Equal(t, string(want), string(got), rule)
	}
}
