package schema_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// soon is far more than a check takes, and far less than these took without their cost.
const soon = 30 * time.Second

const refusedCost = "the schema and the value together cost more than 50000000 units"

func list(element string, times int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", times), ",") + "]"
}

// doubling returns a schema of so many levels, each of which applies the next one twice.
func doubling(levels int, keyword string) string {
	var document strings.Builder
	document.WriteString(`{"$ref":"#/$defs/a0","$defs":{`)
	for i := range levels {
		fmt.Fprintf(&document, `"a%d":{"%s":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, keyword, i+1, i+1)
	}
	fmt.Fprintf(&document, `"a%d":{"type":"string"}}}`, levels)
	return document.String()
}

// numbered returns a list of many elements, no two alike.
func numbered(element string) string {
	elements := make([]string, 1500)
	for i := range elements {
		elements[i] = fmt.Sprintf(element, i)
	}
	return "[" + strings.Join(elements, ",") + "]"
}

// refusal returns why a schema that compiles cannot be registered.
func refusal(t *testing.T, document string) error {
	t.Helper()
	return compile(t, document).(interface{ Refusal() error }).Refusal()
}

func TestACheckThatWouldTakeLongIsRefused(t *testing.T) {
	t.Parallel()
	numbers := list("1", 500_000)
	nested := strings.Repeat("[", 9000) + numbers[1:] + strings.Repeat("]", 8999)
	text := strings.Repeat("a", 1_000_000)
	path := strings.Repeat(`{"c":`, 200) + "1" + strings.Repeat("}", 200)
	for document, value := range map[string]string{
		doubling(28, "allOf"): `{}`,
		doubling(28, "anyOf"): `{}`,
		doubling(28, "oneOf"): `"text"`,
		`{"items":` + strings.ReplaceAll(doubling(18, "allOf"), "#/", "#/items/") + `}`:                `[1]`,
		`{"properties":{"c":{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}}}`:                                   path,
		`{"$dynamicAnchor":"n","properties":{"c":{"oneOf":[{"$dynamicRef":"#n"},{"$ref":"#"}]}}}`:      path,
		`{"properties":{"c":{"if":{"$ref":"#"},"then":{"$ref":"#"}}}}`:                                 path,
		`{"pattern":"((a{0,30}){0,30})$"}`:                                                             `"` + text + `"`,
		`{"allOf":` + list(`{"pattern":"^(a|b)*$"}`, 50) + `}`:                                         `"` + text + `"`,
		`{"propertyNames":{"pattern":"((a{0,30}){0,30})$"}}`:                                           `{"` + text + `":1}`,
		`{"patternProperties":{"((a{0,30}){0,30})$":true}}`:                                            `{"` + text + `":1}`,
		`{"items":{"enum":` + list("1.5", 5000) + `}}`:                                                 numbers,
		`{"items":{"multipleOf":1e-300}}`:                                                              list("1.5e308", 100_000),
		`{"items":{"const":1}}`:                                                                        list("1e-308", 150_000),
		`{"uniqueItems":true}`:                                                                         list(list("1", 20_000), 20),
		`{"items":{"anyOf":` + list(`{"type":"string"}`, 1000) + `}}`:                                  numbers,
		`{"items":{"$ref":"#"},"minItems":1}`:                                                          nested,
		`{"unevaluatedItems":false,"allOf":` + list(`{"contains":{"const":2}}`, 10) + `}`:              numbers,
		`{"items":{"$id":"x:y","$schema":"http://json-schema.org/draft-07/schema#","format":"regex"}}`: `["` + text + `"]`,
	} {
		begun := time.Now()
		found := compile(t, document).Check(json.RawMessage(value))
		require.Len(t, found, 1, "%.80s", document)
		assert.Contains(t, found[0].Message, "cannot be checked: the schema ", "%.80s", document)
		assert.Less(t, time.Since(begun), soon, "%.80s", document)
	}
}

// The check of "value" costs 20,000 units for each byte with the largest pattern, and a few more.
func TestACheckAtTheLimitIsMade(t *testing.T) {
	t.Parallel()
	compiled := compile(t, `{"pattern":"`+strings.Repeat("a", 9998)+`"}`)
	found := compiled.Check(json.RawMessage(`"` + strings.Repeat("b", 2498) + `"`))
	require.Len(t, found, 1)
	assert.Contains(t, found[0].Message, "does not match pattern")
	found = compiled.Check(json.RawMessage(`"` + strings.Repeat("b", 2499) + `"`))
	require.Len(t, found, 1)
	assert.Contains(t, found[0].Message, refusedCost)
	assert.NotContains(t, found[0].Message, "bbb")
}

func TestWhatASchemaAppliesAtOnePlaceIsBounded(t *testing.T) {
	t.Parallel()
	const most = 10_000
	require.NoError(t, refusal(t, `{"allOf":`+list("true", most-1)+`}`))
	require.ErrorContains(t, refusal(t, `{"allOf":`+list("true", most)+`}`), "applies more than 10000 schemas to one value")
	require.ErrorContains(t, refusal(t, doubling(13, "allOf")), "10000")
	require.NoError(t, refusal(t, doubling(10, "allOf")))
	begun := time.Now()
	require.Error(t, refusal(t, doubling(1000, "anyOf")))
	require.Error(t, refusal(t, `{"properties":{"deep":`+strings.ReplaceAll(doubling(100, "oneOf"), "#/", "#/properties/deep/")+`}}`))
	assert.Less(t, time.Since(begun), soon)
}

func TestTheNestingOfASchemaIsBounded(t *testing.T) {
	t.Parallel()
	nested := func(levels int) json.RawMessage {
		return json.RawMessage(strings.Repeat(`{"not":`, levels-1) + `{}` + strings.Repeat("}", levels-1))
	}
	require.NoError(t, refusal(t, string(nested(100))))
	require.ErrorContains(t, refusal(t, string(nested(101))), "nested deeper than 100 levels")
}

func TestTheCostOfCompilingASchemaIsBounded(t *testing.T) {
	t.Parallel()
	wide := func(parts int) string { return `{"$defs":{"a":{"enum":` + list("[]", parts) + `}}}` }
	// Each part costs 500 units, and its pointer 18; the four around it have pointers of 0, 6, 8 and 13 bytes.
	const most = (5_000_000 - 4*500 - 27) / 518
	require.NoError(t, refusal(t, wide(most)))
	require.ErrorContains(t, refusal(t, wide(most+1)), "costs more than 5000000 units to compile")
	long := strings.Repeat("~", 700)
	begun := time.Now()
	for _, document := range []string{
		strings.Repeat(`{"properties":{"`+long+`":`, 40) + `{"allOf":` + list("{}", 8000) + `}` + strings.Repeat("}}", 40),
		`{"x":` + list("{}", 1500) + `,"allOf":` + numbered(`{"$ref":"#/x/%d"}`) + `,"anyOf":` + numbered(`{"$id":"a%d"}`) + `}`,
		strings.Repeat(`{"not":`, 90) + `{"allOf":` + list("{}", 15_000) + `}` + strings.Repeat("}", 90),
	} {
		require.ErrorContains(t, refusal(t, document), "to compile")
		require.Len(t, compile(t, document).Check(json.RawMessage(`{}`)), 1)
	}
	assert.Less(t, time.Since(begun), soon)
}

func TestThePatternsOfASchemaAreBounded(t *testing.T) {
	t.Parallel()
	large := func(first, size int) string {
		return fmt.Sprintf(`{"pattern":"%d%s"}`, first, strings.Repeat("a", size-3))
	}
	largest := make([]string, 9)
	for i := range largest {
		largest[i] = large(i, 10_000)
	}
	require.NoError(t, refusal(t, `{"anyOf":[`+large(9, 9_800)+`],"allOf":[`+strings.Join(largest, ",")+`]}`))
	tooMuch := `{"anyOf":[` + large(9, 10_000) + `,{"pattern":"b"}],"allOf":[` + strings.Join(largest, ",") + `]}`
	require.ErrorContains(t, refusal(t, tooMuch), "more than 100000 together")
	require.ErrorContains(t, refusal(t, `{"pattern":"`+strings.Repeat("a", 9999)+`"}`), "more than 10000 instructions")
	begun := time.Now()
	require.Error(t, refusal(t, `{"allOf":`+numbered(`{"pattern":"(?i)[B-\\x{1E942}]%d"}`)+`}`))
	require.Error(t, refusal(t, `{"allOf":`+numbered(`{"pattern":"(a{0,1000})%d"}`)+`}`))
	assert.Less(t, time.Since(begun), soon)
	found := compile(t, `{"pattern":"`+strings.Repeat("a", 9999)+`"}`).Check(json.RawMessage(`"a"`))
	require.Len(t, found, 1, "a stored schema is read, and no value passes")
	assert.Contains(t, found[0].Message, "more than 10000 instructions")
}

// A tree of nodes of ten kinds, told apart by a chain of ifs: of each node, one branch applies.
func TestAlternativesOfWhichOneAppliesAreAffordable(t *testing.T) {
	t.Parallel()
	chain := "false"
	for kind := range 10 {
		chain = fmt.Sprintf(`{"if":{"properties":{"kind":{"const":"k%d"}}},"then":{"properties":{"inner":{"$ref":"#"}}},"else":%s}`, kind, chain)
	}
	compiled := compile(t, `{"type":"object",`+chain[1:])
	value := `{"kind":"k0"}`
	for range 40 {
		value = `{"kind":"k0","inner":` + value + `}`
	}
	assert.Empty(t, compiled.Check(json.RawMessage(value)))
	assert.NotEmpty(t, compiled.Check(json.RawMessage(strings.Replace(value, `"k0"}`, `"k10"}`, 1))))
	strict := compile(t, `{"anyOf":[{"type":"string"},{"type":"array","items":{"$ref":"#"}},{"type":"object","additionalProperties":{"$ref":"#"}}]}`)
	assert.Empty(t, strict.Check(json.RawMessage(strings.Repeat(`[{"a":`, 500)+`"x"`+strings.Repeat("}]", 500))))
}

func TestUsualSchemasAreAffordable(t *testing.T) {
	t.Parallel()
	properties, required := map[string]any{}, []string{}
	record := map[string]any{}
	for i := range 200 {
		name := fmt.Sprintf("property%d", i)
		required = append(required, name)
		switch i % 5 {
		case 0:
			properties[name] = map[string]any{"type": "string", "pattern": "^[A-Za-z0-9-]{1,36}$"}
			record[name] = "3f2a-88"
		case 1:
			properties[name] = map[string]any{"type": "integer", "minimum": 0, "maximum": 1000}
			record[name] = 12
		case 2:
			properties[name] = map[string]any{"enum": []string{"new", "paid", "sent", "lost"}}
			record[name] = "sent"
		case 3:
			properties[name] = map[string]any{"anyOf": []any{map[string]any{"type": "null"}, map[string]any{"$ref": "#/$defs/money"}}}
			record[name] = map[string]any{"amount": 9.5, "currency": "EUR"}
		default:
			properties[name] = map[string]any{"type": "array", "items": map[string]any{"type": "string", "maxLength": 20}, "uniqueItems": true}
			record[name] = []string{"a", "b", "c"}
		}
	}
	document, err := json.Marshal(map[string]any{
		"type": "object",
		"properties": map[string]any{"records": map[string]any{"type": "array", "items": map[string]any{
			"type": "object", "properties": properties, "required": required, "additionalProperties": false,
		}}},
		"$defs": map[string]any{"money": map[string]any{
			"type": "object", "required": []string{"amount", "currency"},
			"properties": map[string]any{"amount": map[string]any{"type": "number"}, "currency": map[string]any{"pattern": "^[A-Z]{3}$"}},
		}},
	})
	require.NoError(t, err)
	one, err := json.Marshal(record)
	require.NoError(t, err)
	value := `{"records":` + list(string(one), (1<<20)/len(one)) + `}`
	compiled := compile(t, string(document))
	require.NoError(t, refusal(t, string(document)))
	assert.Empty(t, compiled.Check(json.RawMessage(value)))
	assert.Empty(t, compiled.Check(json.RawMessage(`{"records":`+list(string(one), 2*(1<<20)/len(one))+`}`)), "with a margin")
}

// A tree refers to itself through its parts, which end with the value.
func TestARecursiveSchemaIsChecked(t *testing.T) {
	t.Parallel()
	tree := compile(t, `{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"children":{"items":{"$ref":"#"}}}}`)
	value := strings.Repeat(`{"name":"a","children":[`, 1000) + `{"name":1}` + strings.Repeat("]}", 1000)
	found := tree.Check(json.RawMessage(value))
	require.Len(t, found, 1)
	assert.Equal(t, "got number, want string", found[0].Message)
	assert.Empty(t, tree.Check(json.RawMessage(`{"name":"a","children":`+list(`{"name":"b","children":[{"name":"c"}]}`, 20_000)+`}`)))
	node := compile(t, `{"$dynamicAnchor":"node","properties":{"next":{"$dynamicRef":"#node"},"id":{"type":"integer"}}}`)
	require.Len(t, node.Check(json.RawMessage(strings.Repeat(`{"next":`, 30)+`{"id":"x"}`+strings.Repeat("}", 30))), 1)
}
