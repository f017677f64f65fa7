package saga_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func sensitive(t *testing.T, pointers ...saga.Pointer) *saga.Definition {
	t.Helper()
	def, err := saga.New("order").Sensitive(pointers...).Step("charge", "payments.charge").Build()
	require.NoError(t, err)
	return def
}

func TestSensitiveMembersAreMasked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ pointers, data, want string }{
		"a member":                        {"/card", `{"card":"4111","amount":1.50}`, `{"amount":1.50,"card":"***"}`},
		"a number":                        {"/pin", `{"pin":1234}`, `{"pin":"***"}`},
		"an object as a whole":            {"/card", `{"card":{"number":"4111"}}`, `{"card":"***"}`},
		"a member of a member":            {"/customer/email", `{"customer":{"email":"a@b","name":"A"}}`, `{"customer":{"email":"***","name":"A"}}`},
		"several, one inside the other":   {"/a/b,/a,/c", `{"a":{"b":1,"d":2},"c":3}`, `{"a":"***","c":"***"}`},
		"an element of an array":          {"/cards/1", `{"cards":[1,2,3]}`, `{"cards":[1,"***",3]}`},
		"a member in an array":            {"/cards/0/cvc", `{"cards":[{"cvc":1},{"cvc":2}]}`, `{"cards":[{"cvc":"***"},{"cvc":2}]}`},
		"an array in place of an object":  {"/card/cvc", `{"card":[{"cvc":1}]}`, `{"card":"***"}`},
		"a text in place of an object":    {"/card/cvc", `{"card":"4111"}`, `{"card":"***"}`},
		"a name with marks":               {"/a~1b~0c", `{"a/b~c":1}`, `{"a/b~c":"***"}`},
		"an empty name":                   {"/", `{"":1,"a":2}`, `{"":"***","a":2}`},
		"names are case-sensitive":        {"/card", `{"Card":1}`, `{"Card":1}`},
		"null, as in a merge patch":       {"/card", `{"card":null}`, `{"card":null}`},
		"nothing there":                   {"/card", `{ "z": 1, "a": 2 }`, `{ "z": 1, "a": 2 }`},
		"nothing sensitive":               {"", `{ "a": 2 }`, `{ "a": 2 }`},
		"texts keep their spelling":       {"/card", `{"card":1,"text":"<&>"}`, `{"card":"***","text":"<&>"}`},
		"data that is not an object":      {"/card", `"4111"`, `"***"`},
		"no output":                       {"/card", ``, ``},
		"data that is not a JSON value":   {"/card", `{"card":`, `"***"`},
		"an index with a zero before it":  {"/cards/01", `{"cards":[1,2]}`, `{"cards":"***"}`},
		"an index beyond the array's end": {"/cards/7", `{"cards":[1,2]}`, `{"cards":[1,2]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pointers []saga.Pointer
			for text := range strings.SplitSeq(c.pointers, ",") {
				if text != "" {
					pointers = append(pointers, saga.Pointer(text))
				}
			}
			assert.Equal(t, c.want, string(sensitive(t, pointers...).Mask(json.RawMessage(c.data))))
		})
	}
}

func TestTheWholeDataMayBeSensitive(t *testing.T) {
	t.Parallel()
	assert.JSONEq(t, `{"a":"***","b":"***","c":null}`, string(sensitive(t, "").Mask(json.RawMessage(`{"a":1,"b":{"c":2},"c":null}`))))
}

func TestSensitiveValuesAreRedactedInTexts(t *testing.T) {
	t.Parallel()
	def := sensitive(t, "/card", "/customer/email", "/pin")
	in := saga.Instance{}
	in.Data = json.RawMessage(`{"card":{"number":"4111 1111","cvc":"123"},"customer":{"email":"a@example.com"},"pin":98765,"name":"Alice"}`)
	in.Steps = []saga.StepState{{Output: json.RawMessage(`{"card":"4222 2222"}`)}}
	redact := def.Redactor(&in)
	assert.Equal(t, "card *** (***) of ***, pin ***, cvc 123, Alice, number",
		redact("card 4111 1111 (4222 2222) of a@example.com, pin 98765, cvc 123, Alice, number"),
		"values of four bytes or more, not the names of members")
	assert.Nil(t, sensitive(t).Redactor(&in))
}

func TestOutputsAndInputsAreMaskedByTheirPlaceInTheData(t *testing.T) {
	t.Parallel()
	def, err := saga.New("order").Sensitive("/payment/card", "/pin", "/customer/email").
		Step("charge", "payments.charge", saga.OutputAs("payment"),
			saga.Input(map[string]saga.Pointer{"number": "/payment/card", "who": "/customer", "pin": "/pin/code", "amount": "/amount"})).
		Step("check", "payments.check", saga.OutputAs("pin")).
		Step("ship", "shop.ship").Build()
	require.NoError(t, err)
	for step, want := range map[string]string{
		"charge": `{"card":"***","pin":1}`, "check": `{"card":"***","pin":"***"}`, "ship": `{"card":4111,"pin":"***"}`,
	} {
		assert.JSONEq(t, want, string(def.MaskOutput(step, json.RawMessage(`{"card":4111,"pin":1}`))), step)
	}
	command := json.RawMessage(`{"number":"4111","who":{"email":"a@b","name":"A"},"pin":1,"amount":2,"other":3}`)
	assert.JSONEq(t, `{"number":"***","who":{"email":"***","name":"A"},"pin":"***","amount":2,"other":"***"}`, string(def.MaskInput("charge", command)))
	assert.JSONEq(t, `{"pin":"***","amount":2}`, string(def.MaskInput("ship", json.RawMessage(`{"pin":1,"amount":2}`))))

	in := saga.Instance{Data: json.RawMessage(`{}`)}
	in.Steps = []saga.StepState{
		{Output: json.RawMessage(`{"card":"4111-1111","pin":"98765"}`)},
		{Signal: &saga.GivenSignal{Output: json.RawMessage(`{"code":"54321"}`)}},
		{},
	}
	assert.Equal(t, "*** 98765 ***", def.Redactor(&in)("4111-1111 98765 54321"))
}

func TestSensitivePointersAreChecked(t *testing.T) {
	t.Parallel()
	body := func(list string) []byte { return []byte(`{"sensitive":` + list + `,` + steps(`"name":"a"`)[1:]) }
	for list, want := range map[string][]string{
		`["card"]`:                              {"/sensitive/0"},
		`["/z","/a~2","/b~"]`:                   {"/sensitive/1", "/sensitive/2"},
		`"/card"`:                               {"/sensitive"},
		`[1]`:                                   {"/sensitive"},
		`["/` + strings.Repeat("a", 256) + `"]`: {"/sensitive/0"},
		many(101):                               {"/sensitive"},
	} {
		_, err := saga.ParseDefinition("order", 0, body(list))
		assert.Equal(t, want, pointers(t, err), list)
	}
	for _, list := range []string{`[]`, `null`, `["/a","/a",""]`, `["/` + strings.Repeat("a", 255) + `"]`, many(100)} {
		_, err := saga.ParseDefinition("order", 0, body(list))
		require.NoError(t, err, list)
	}
}

// many returns a list of n pointers.
func many(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"/m%d"`, i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestSensitiveMembersArePartOfTheCanonicalForm(t *testing.T) {
	t.Parallel()
	without, err := sensitive(t).MarshalJSON()
	require.NoError(t, err)
	assert.NotContains(t, string(without), "sensitive", "definitions from before keep their bytes")
	with, err := sensitive(t, "/b", "/a", "/b").MarshalJSON()
	require.NoError(t, err)
	assert.Contains(t, string(with), `"sensitive":["/a","/b"]`, "a set, in order")
	read, err := saga.ReadDefinition("order", 1, with)
	require.NoError(t, err)
	assert.JSONEq(t, `{"a":"***"}`, string(read.Mask(json.RawMessage(`{"a":1}`))))
}

// A definition that another version stored must not stop its sagas, and must not reveal more than that version did.
func TestStoredSensitivePointersThatCannotBeReadHideAll(t *testing.T) {
	t.Parallel()
	for _, list := range []string{`["$.card"]`, `{"paths":["/card"]}`, `"/card"`, `[1]`} {
		read, err := saga.ReadDefinition("order", 1, []byte(`{"sensitive":`+list+`,`+steps(`"name":"a"`)[1:]))
		require.NoError(t, err, list)
		assert.JSONEq(t, `{"a":"***"}`, string(read.Mask(json.RawMessage(`{"a":1}`))), list)
	}
}

// A message that repeats a sensitive value is stored without it: when it is read, the data may have changed.
func TestErrorsAreStoredWithoutSensitiveValues(t *testing.T) {
	t.Parallel()
	def := saga.New("order").Sensitive("/card").OnFailure(saga.Park).Step("charge", "payments.charge").
		WaitForSignal("approval", "approve")
	c := begin(t, def, startData(`{"card":"OLDCARD41111"}`))
	c.answer("charge", saga.Reply{Error: &saga.ReplyError{Code: "declined", Message: "card OLDCARD41111 is declined"}})
	assert.Equal(t, "card *** is declined", c.is.Steps[0].Error.Message)
	assert.NotContains(t, c.is.Attention.Message, "OLDCARD")
	for _, entry := range c.last.Entries {
		assert.NotContains(t, fmt.Sprint(entry.Detail), "OLDCARD", entry.Type)
	}
}
