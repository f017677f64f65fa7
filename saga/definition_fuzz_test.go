package saga_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// FuzzParseDefinition checks that an accepted definition has one JSON form that means the same, and that every fault
// has a place.
func FuzzParseDefinition(f *testing.F) {
	for _, text := range []string{
		orderJSON,
		`{"steps":[{"name":"a","command":"q.a","after":[]},{"name":"b","command":"q.b","after":["a"],"kind":"pivot"}]}`,
		`{"deadline":"1ms","steps":[{"name":"a","command":"q","kind":"retriable","timeout":"720h","retry":{"jitter":1e-9}}]}`,
		`{"steps":[{"name":"a","command":"q.a","after":["a"]},{"name":"a","command":"é","after":["x","x"]}],"x~/":1}`,
		`{"steps":[{"name":"a","command":"q.a","retry":{"non_retryable":["b","a","b",""]},"compensation_retry":null}]}`,
		`{"steps":[[],{}],"description":"\u0000"}`, `{"steps":null}`, `[]`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		definition, err := saga.ParseDefinition("order", 3, text)
		if err != nil {
			requireFaults(t, err)
			return
		}
		require.LessOrEqual(t, len(definition.Steps), saga.MaxSteps)
		written, err := definition.MarshalJSON()
		require.NoError(t, err)
		require.NoError(t, saga.CheckJSON(written, saga.DefaultJSONLimits()), "what is written can be stored")
		again, err := saga.ParseDefinition("order", 3, written)
		require.NoError(t, err, "the written form is accepted: %s", written)
		require.Equal(t, definition, again)
		require.Equal(t, hash(t, definition), hash(t, again))
		requireStartable(t, definition)
	})
}

// requireFaults requires that every fault has a short place and message, and that there are not too many.
func requireFaults(t *testing.T, err error) {
	t.Helper()
	var faults saga.Faults
	require.ErrorAs(t, err, &faults)
	require.NotEmpty(t, faults)
	require.LessOrEqual(t, len(faults), saga.MaxFaults)
	for _, fault := range faults {
		require.NotEmpty(t, fault.Message)
		require.Less(t, len(fault.Message), 200)
		require.Less(t, len(fault.Pointer), 300)
		require.True(t, utf8.ValidString(fault.Pointer))
		require.True(t, fault.Pointer == "" || strings.HasPrefix(fault.Pointer, "/"), fault.Pointer)
		unescaped := strings.NewReplacer("~0", "", "~1", "").Replace(fault.Pointer)
		require.NotContains(t, unescaped, "~", "a JSON pointer: %s", fault.Pointer)
	}
}

// requireStartable requires that an accepted definition can start a saga.
func requireStartable(t *testing.T, definition *saga.Definition) {
	t.Helper()
	decision, err := definition.Start(saga.Start{ID: "s", At: noon})
	require.NoError(t, err)
	require.NotEmpty(t, decision.Commands, "some step comes first")
	require.False(t, decision.Next.WakeAt.IsZero())
}

// The error of a large definition full of faults must not be many times its size.
func TestTheNumberOfFaultsIsLimited(t *testing.T) {
	t.Parallel()
	_, err := saga.ParseDefinition("order", 1, []byte(manyKeys(50_000)))
	var faults saga.Faults
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults, saga.MaxFaults)
	require.Contains(t, faults[saga.MaxFaults-1].Message, "49902 more")
}

// FuzzDuration checks that a duration survives its JSON, and that only strings are accepted.
func FuzzDuration(f *testing.F) {
	for _, text := range []string{`"30s"`, `"1h2m3.5s"`, `"-1ns"`, `"2562047h47m16.854775807s"`, `"1e3s"`, `30`, `null`, `"µs"`, `"0"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var read saga.Duration
		if err := read.UnmarshalJSON(text); err != nil {
			require.NotContains(t, err.Error(), "\x00")
			require.Less(t, len(err.Error()), 100, "an error never repeats the content")
			return
		}
		require.Contains(t, string(text), `"`, "a bare number has no unit")
		written, err := read.MarshalJSON()
		require.NoError(t, err)
		var again saga.Duration
		require.NoError(t, again.UnmarshalJSON(written))
		require.Equal(t, read, again)
		require.Equal(t, time.Duration(read).String(), read.String())
	})
}
