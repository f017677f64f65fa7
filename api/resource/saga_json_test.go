package resource_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

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
		"texts of other scripts":  {Data: json.RawMessage("{\"é\":\"\u2028<&>\"}")},
		"a value in every member": filled(t),
	} {
		want, err := saga.EncodeJSON(shown)
		require.NoError(t, err, rule)
		got, err := shown.AppendJSON()
		require.NoError(t, err, rule)
		assert.Equal(t, string(want), string(got), rule)
	}
}

// filled returns a saga in which no member has its zero value: a member that the encoder forgets then shows.
func filled(t *testing.T) (shown resource.Saga) {
	t.Helper()
	fill(t, reflect.ValueOf(&shown).Elem())
	return shown
}

func fill(t *testing.T, value reflect.Value) {
	t.Helper()
	switch value.Interface().(type) {
	case json.RawMessage:
		value.SetBytes([]byte(`{"a": [1, "é"]}`))
		return
	case time.Time:
		value.Set(reflect.ValueOf(time.Date(2026, 11, 29, 12, 0, 0, 120_000_000, time.UTC)))
		return
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString("a \"text\" <&>")
	case reflect.Int, reflect.Int64:
		value.SetInt(42)
	case reflect.Uint8:
		value.SetUint(7)
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(t, value.Elem())
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 2, 2))
		fill(t, value.Index(0))
		fill(t, value.Index(1))
	case reflect.Map:
		value.Set(reflect.ValueOf(map[string]string{"b <": "x", "a": "y"}))
	case reflect.Struct:
		for _, field := range value.Fields() {
			fill(t, field)
		}
	default:
		t.Fatalf("no example of a %s", value.Type())
	}
}
