package saga_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// orderJSON is the example of the README, with optional members.
const orderJSON = `{
  "description": "reserve, charge, confirm",
  "deadline": "24h",
  "steps": [
    {"name": "reserve-inventory", "queue": "inventory", "command": "inventory.reserve", "compensation": "inventory.release"},
    {"name": "charge-payment", "queue": "payments", "command": "payments.charge", "compensation": "payments.refund",
     "timeout": "30s",
     "retry": {"max_attempts": 5, "initial_interval": "1s", "multiplier": 2, "max_interval": "1m", "jitter": 0.2,
               "non_retryable": ["card_declined"]}},
    {"name": "confirm-order", "queue": "orders", "command": "orders.confirm", "kind": "pivot"},
    {"name": "send-receipt", "queue": "email", "command": "email.receipt", "kind": "retriable"}
  ]
}`

func parse(t *testing.T, text string) *saga.Definition {
	t.Helper()
	definition, err := saga.ParseDefinition("order", 3, []byte(text))
	require.NoError(t, err)
	return definition
}

func hash(t *testing.T, definition *saga.Definition) string {
	t.Helper()
	sum, err := definition.Hash()
	require.NoError(t, err)
	return string(sum[:])
}

func TestEveryDefault(t *testing.T) {
	t.Parallel()
	definition := parse(t, `{"steps": [
		{"name": "first", "command": "inventory.stock.reserve", "compensation": "inventory.release"},
		{"name": "second", "command": "charge"},
		{"name": "third", "command": "orders.confirm", "kind": "pivot", "timeout": "5s"},
		{"name": "fourth", "command": "email.receipt", "kind": "retriable"}]}`)
	require.Equal(t, "order", definition.Name)
	require.Equal(t, 3, definition.Version)
	require.Empty(t, definition.Description)
	require.Zero(t, definition.Deadline)

	five := saga.RetryPolicy{
		MaxAttempts: 5, InitialInterval: saga.Duration(time.Second), Multiplier: 2,
		MaxInterval: saga.Duration(time.Minute), Jitter: 0.2,
	}
	twenty := five
	twenty.MaxAttempts = 20

	first := definition.Steps[0]
	require.Equal(t, "inventory", first.Queue, "the part of the command before the first dot")
	require.Equal(t, saga.Compensatable, first.Kind)
	require.Empty(t, first.After)
	require.Equal(t, saga.Duration(30*time.Second), first.Timeout)
	require.Equal(t, first.Timeout, first.CompensationTimeout)
	require.Equal(t, five, first.Retry)
	require.Equal(t, twenty, first.CompensationRetry)

	require.Equal(t, "charge", definition.Steps[1].Queue, "a command without a dot is its own queue")
	require.Equal(t, []string{"first"}, definition.Steps[1].After, "the step listed before it")
	require.Empty(t, definition.Steps[1].Compensation)
	require.Equal(t, five, definition.Steps[2].Retry)
	require.Equal(t, saga.Duration(5*time.Second), definition.Steps[2].Timeout)
	require.Equal(t, twenty, definition.Steps[3].Retry)
}

func TestACompensationTakesTheStepsTimeoutUnlessItHasItsOwn(t *testing.T) {
	t.Parallel()
	definition := parse(t, `{"steps": [
		{"name": "a", "command": "q.a", "compensation": "q.u", "timeout": "5s"},
		{"name": "b", "command": "q.b", "compensation": "q.u", "timeout": "5s", "compensation_timeout": "7s"}]}`)
	require.Equal(t, saga.Duration(5*time.Second), definition.Steps[0].CompensationTimeout)
	require.Equal(t, saga.Duration(7*time.Second), definition.Steps[1].CompensationTimeout)
}

func TestAPartialPolicyKeepsTheOtherDefaults(t *testing.T) {
	t.Parallel()
	definition := parse(t, `{"steps": [{"name": "a", "command": "q.a", "compensation": "q.u",
		"retry": {"max_attempts": 2}, "compensation_retry": {"initial_interval": "2m", "non_retryable": ["y", "x", "y"]}}]}`)
	require.Equal(t, saga.RetryPolicy{
		MaxAttempts: 2, InitialInterval: saga.Duration(time.Second), Multiplier: 2,
		MaxInterval: saga.Duration(time.Minute), Jitter: 0.2,
	}, definition.Steps[0].Retry)
	require.Equal(t, saga.RetryPolicy{
		MaxAttempts: 20, InitialInterval: saga.Duration(2 * time.Minute), Multiplier: 2,
		MaxInterval: saga.Duration(2 * time.Minute), Jitter: 0.2, NonRetryable: []string{"x", "y"},
	}, definition.Steps[0].CompensationRetry, "the longest wait is never below the first")
}

func TestANullMemberCountsAsAbsent(t *testing.T) {
	t.Parallel()
	with := parse(t, `{"description": null, "deadline": null, "steps": [{"name": "a", "command": "q.a", "compensation": null,
		"queue": null, "kind": null, "after": null, "timeout": null, "retry": null, "compensation_timeout": null,
		"compensation_retry": {"max_attempts": null, "initial_interval": null, "multiplier": null, "max_interval": null,
		"jitter": null, "non_retryable": null}}]}`)
	require.Equal(t, parse(t, `{"steps": [{"name": "a", "command": "q.a"}]}`), with)
}

func TestSpellingMakesNoDifference(t *testing.T) {
	t.Parallel()
	short := hash(t, parse(t, `{"steps":[{"name":"a","command":"q.a"},{"name":"b","command":"q.b","compensation":"q.u","after":[]},{"name":"c","command":"q.c","after":["a","b"]}]}`))
	for name, text := range map[string]string{
		"white space": "{ \"steps\" : [\n\t{\"name\":\"a\",\"command\":\"q.a\"} , {\"name\":\"b\",\"command\":\"q.b\",\"compensation\":\"q.u\",\"after\":[ ]},\r\n{\"name\":\"c\",\"command\":\"q.c\",\"after\":[\"a\",\"b\"]}]}",
		"member order": `{"steps":[{"command":"q.a","name":"a"},{"after":[],"compensation":"q.u","command":"q.b","name":"b"},
			{"after":["a","b"],"command":"q.c","name":"c"}]}`,
		"the order of what a step comes after": `{"steps":[{"name":"a","command":"q.a"},{"name":"b","command":"q.b","compensation":"q.u","after":[]},
			{"name":"c","command":"q.c","after":["b","a"]}]}`,
		"defaults spelled out": `{"description":"","steps":[
			{"name":"a","command":"q.a","queue":"q","kind":"compensatable","after":[],"timeout":"30s",
			 "retry":{"max_attempts":5,"initial_interval":"1s","multiplier":2.0,"max_interval":"60s","jitter":2e-1,"non_retryable":[]}},
			{"name":"b","command":"q.b","compensation":"q.u","after":[],"compensation_timeout":"30000ms",
			 "compensation_retry":{"max_attempts":20}},
			{"name":"c","command":"q.c","after":["a","b"],"timeout":"0.5m"}]}`,
		"escapes": `{"steps":[{"name":"\u0061","command":"q.a"},{"name":"b","command":"q\u002eb","compensation":"q.u","after":[]},{"name":"c","command":"q.c","after":["a","b"]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, short, hash(t, parse(t, text)))
		})
	}
}

func TestDifferentDefinitionsHaveDifferentHashes(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, change := range [][2]string{
		{"", ""},
		{`"24h"`, `"25h"`},
		{`reserve, charge`, `charge`},
		{`"queue": "inventory"`, `"queue": "stock"`},
		{`"inventory.release"`, `"inventory.free"`},
		{`, "compensation": "payments.refund"`, ``},
		{`"30s"`, `"31s"`},
		{`"max_attempts": 5`, `"max_attempts": 6`},
		{`"initial_interval": "1s"`, `"initial_interval": "2s"`},
		{`"multiplier": 2`, `"multiplier": 3`},
		{`"max_interval": "1m"`, `"max_interval": "2m"`},
		{`0.2`, `0.3`},
		{`"card_declined"`, `"card_stolen"`},
		{`"card_declined"`, `"card_declined", "card_stolen"`},
		{`"name": "send-receipt"`, `"name": "send-mail"`},
		{`"email.receipt"`, `"email.mail"`},
		{`"timeout": "30s"`, `"compensation_timeout": "31s"`},
		{`"timeout": "30s"`, `"compensation_retry": {"max_attempts": 5}`},
		{`, "kind": "retriable"`, `, "kind": "retriable", "after": ["charge-payment", "confirm-order"]`},
	} {
		text := strings.Replace(orderJSON, change[0], change[1], 1)
		sum := hash(t, parse(t, text))
		require.Empty(t, seen[sum], "%v", change)
		seen[sum] = text
	}
}

func TestNameAndVersionAreNotPartOfTheHash(t *testing.T) {
	t.Parallel()
	other, err := saga.ParseDefinition("another", 9, []byte(orderJSON))
	require.NoError(t, err)
	require.Equal(t, hash(t, parse(t, orderJSON)), hash(t, other))
}

func TestADefinitionSurvivesItsJSON(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"the example":                     orderJSON,
		"only what is required":           `{"steps":[{"name":"a","command":"q.a"}]}`,
		"parallel":                        `{"steps":[{"name":"a","command":"q.a"},{"name":"b","command":"q.b","after":[]},{"name":"c","command":"q.c","after":["b","a"]}]}`,
		"no compensation, but its policy": `{"steps":[{"name":"a","command":"q.a","compensation_timeout":"5s","compensation_retry":{"max_attempts":3}}]}`,
		"every member": `{"description":"d<&>","deadline":"1h30m","steps":[{"name":"a","command":"q.a","compensation":"q.u","queue":"other",
			"kind":"compensatable","after":[],"timeout":"1.5s","retry":{"max_attempts":1,"initial_interval":"1ms","multiplier":1,"max_interval":"1ms","jitter":1,"non_retryable":["b","a"]},
			"compensation_timeout":"2s","compensation_retry":{"max_attempts":1000,"initial_interval":"8760h","multiplier":100,"jitter":0}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := parse(t, text)
			written, err := given.MarshalJSON()
			require.NoError(t, err)
			read := parse(t, string(written))
			require.Equal(t, given, read)
			again, err := read.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, string(written), string(again))
		})
	}
}

func TestQueuesAreNamedOnceInTheOrderOfTheSteps(t *testing.T) {
	t.Parallel()
	definition := parse(t, `{"steps":[{"name":"a","command":"z.a"},{"name":"b","command":"y.b"},{"name":"c","command":"z.c","queue":"y"},{"name":"d","command":"z.d"}]}`)
	require.Equal(t, []string{"z", "y"}, definition.Queues())
}

func TestADurationIsAStringWithAUnit(t *testing.T) {
	t.Parallel()
	var d saga.Duration
	require.NoError(t, d.UnmarshalJSON([]byte(`"1m30s"`)))
	require.Equal(t, saga.Duration(90*time.Second), d)
	require.Equal(t, "1m30s", d.String())
	for _, text := range []string{`30`, `"30"`, `""`, `null`, `{}`, `"1 day"`, `"1h1"`} {
		require.Error(t, d.UnmarshalJSON([]byte(text)), text)
	}
}

func TestNullIsNoPointer(t *testing.T) {
	t.Parallel()
	for body, at := range map[string]string{
		`{"sensitive":[null],"steps":[{"name":"a","queue":"q","command":"c"}]}`:    "/sensitive",
		`{"steps":[{"name":"a","queue":"q","command":"c","input":{"x":null}}]}`:    "/steps/0/input",
		`{"steps":[{"name":"a","queue":"q","command":"c","input":{"x":"/a"}},{}]}`: "/steps/1",
	} {
		_, err := saga.ParseDefinition("order", 1, []byte(body))
		require.ErrorContains(t, err, at, body)
	}
	def, err := saga.ParseDefinition("order", 1, []byte(`{"sensitive":null,"steps":[{"name":"a","queue":"q","command":"c","input":null}]}`))
	require.NoError(t, err, "a member that is null is absent")
	require.Nil(t, def.Steps[0].Input)
}
