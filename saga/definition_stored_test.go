package saga_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// A registered definition is equal after it was stored.
func TestAStoredDefinitionReadsAsItWasRegistered(t *testing.T) {
	t.Parallel()
	registered := parse(t, orderJSON)
	body, err := registered.MarshalJSON()
	require.NoError(t, err)
	read, err := saga.ReadDefinition("order", 3, body)
	require.NoError(t, err)
	require.Equal(t, registered, read)
}

// A newer version of the program may store other members, and values beyond the limits of this version.
func TestAStoredDefinitionIsReadLeniently(t *testing.T) {
	t.Parallel()
	step := `{"name":"a","command":"q.a"}`
	for name, body := range map[string]string{
		"an unknown member":             `{"steps":[` + step + `],"tenant":{"type":"object"}}`,
		"one of a step":                 `{"steps":[{"name":"a","command":"q.a","cache":{"order":"/id"}}]}`,
		"one of a policy":               `{"steps":[{"name":"a","command":"q.a","retry":{"max_attempts":2,"budget":7}}]}`,
		"one that holds anything":       `{"steps":[` + step + `],"x":["\ud800",1e999,` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `]}`,
		"a duplicate member":            `{"steps":[` + step + `],"x":1,"x":2}`,
		"more steps than are accepted":  `{"steps":[` + step + manySteps(150) + `]}`,
		"more attempts, longer waits":   `{"steps":[{"name":"a","command":"q.a","timeout":"9000h","retry":{"max_attempts":100000}}]}`,
		"a longer description":          `{"description":"` + strings.Repeat("x", saga.MaxDescription+1) + `","steps":[` + step + `]}`,
		"names that PUT refuses":        `{"steps":[{"name":"A_1","command":"q.a/b","queue":"Ünïque"}]}`,
		"an interval above the largest": `{"steps":[{"name":"a","command":"q.a","retry":{"initial_interval":"2m","max_interval":"1m"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read, err := saga.ReadDefinition("order", 1, []byte(body))
			require.NoError(t, err)
			_, err = saga.ParseDefinition("order", 1, []byte(body))
			require.Error(t, err, "PUT stays strict")
			decision, err := read.Start(saga.Start{ID: "saga-1", At: noon})
			require.NoError(t, err)
			require.NotEmpty(t, decision.Commands)
		})
	}
}

func manySteps(n int) string {
	var text strings.Builder
	for i := range n {
		text.WriteString(`,{"name":"b` + strings.Repeat("x", i) + `","command":"q.b"}`)
	}
	return text.String()
}

// A definition that the core cannot run gives an error with its place, rather than a failure later.
func TestAStoredDefinitionThatCannotRunIsRefused(t *testing.T) {
	t.Parallel()
	for body, place := range map[string]string{
		``:            "must be an object",
		`{"steps":[`:  "must be an object",
		`{}`:          "/steps",
		`{"steps":1}`: "/steps",
		`{"steps":[{"name":"approval","vote":"approved","queue":"q"}]}`:                                   "/steps/0/command",
		`{"steps":[{"name":"a","command":"q.a","kind":"fork"}]}`:                                          "/steps/0/kind",
		`{"steps":[{"name":"a/b","command":"q.a"}]}`:                                                      "/steps/0/name",
		`{"steps":[{"name":"","command":"q.a"}]}`:                                                         "/steps/0/name",
		`{"steps":[{"name":"a","command":"q.a"},{"name":"a","command":"q.b"}]}`:                           "/steps/1/name",
		`{"steps":[{"name":"a","command":"q\u0000"}]}`:                                                    "/steps/0/command",
		`{"steps":[{"name":"a","command":".a"}]}`:                                                         "/steps/0/queue",
		`{"steps":[{"name":"a","command":"q.a","after":["b"]},{"name":"b","command":"q.b"}]}`:             "/after",
		`{"steps":[{"name":"a","command":"q.a","after":["c"]}]}`:                                          "/steps/0/after/0",
		`{"steps":[{"name":"a","command":"q.a","timeout":"0s"}]}`:                                         "/steps/0/timeout",
		`{"steps":[{"name":"a","command":"q.a","timeout":30}]}`:                                           "/steps/0/timeout",
		`{"steps":[{"name":"a","command":"q.a","retry":{"multiplier":0}}]}`:                               "/steps/0/retry/multiplier",
		`{"steps":[{"name":"a","command":"q.a","retry":{"jitter":7}}]}`:                                   "/steps/0/retry/jitter",
		`{"steps":[{"name":"a","command":"q.a","retry":{"max_attempts":0}}]}`:                             "/steps/0/retry/max_attempts",
		`{"steps":[{"name":"a","command":"q.a","kind":"retriable"},{"name":"b","command":"q.b"}]}`:        "/steps/0/kind",
		`{"steps":[{"name":"a","command":"q.a","kind":"pivot","compensation":"q.c"}]}`:                    "/steps/0/compensation",
		`{"steps":[{"name":"a","command":"q.a","kind":"pivot"},{"name":"b","command":"q.b","after":[]}]}`: "/steps/1/after",
	} {
		_, err := saga.ReadDefinition("order", 1, []byte(body))
		require.ErrorContains(t, err, place, body)
	}
}

// A version without these members would ignore them, so the stored form has no steps for it.
func TestADefinitionThatAnEarlierVersionMustNotRunIsStoredApart(t *testing.T) {
	t.Parallel()
	step := saga.New("order").Step("a", "q.a")
	for name, built := range map[string]*saga.Builder{
		"a condition":   saga.New("order").Step("a", "q.a", saga.When("data.n > 1")),
		"an input":      saga.New("order").Step("a", "q.a", saga.Input(map[string]saga.Pointer{"id": "/id"})),
		"an output_as":  saga.New("order").Step("a", "q.a", saga.OutputAs("made")),
		"a child":       saga.New("order").Child("a", "shipping"),
		"marked data":   saga.New("order").Sensitive("/card").Step("a", "q.a"),
		"a plain start": step,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			definition, err := built.Build()
			require.NoError(t, err)
			stored, err := definition.StoredJSON()
			require.NoError(t, err)
			require.Equal(t, built == step, strings.HasPrefix(string(stored), `{"steps"`), string(stored))
			read, err := saga.ReadDefinition("order", 0, stored)
			require.NoError(t, err)
			require.Equal(t, definition, read)
		})
	}
}
