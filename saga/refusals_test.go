package saga_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestADefinitionIsRefusedWithEveryFaultNamed(t *testing.T) {
	t.Parallel()
	steps := func(all ...string) string { return `{"steps":[` + strings.Join(all, ",") + `]}` }
	many := make([]string, saga.MaxSteps+1)
	for i := range many {
		many[i] = `{"name":"s","command":"q.s"}`
	}
	for rule, c := range map[string]struct {
		body     string
		pointers []string
	}{
		"no steps":                      {`{"steps":[]}`, []string{"/steps"}},
		"over 100 steps":                {steps(many...), []string{"/steps"}},
		"a repeated name":               {steps(`{"name":"a","command":"q.a"}`, `{"name":"a","command":"q.a"}`), []string{"/steps/1/name"}},
		"a malformed name":              {steps(`{"name":"A_","command":"q.a"}`), []string{"/steps/0/name"}},
		"after names no step":           {steps(`{"name":"a","command":"q.a","after":["b"]}`), []string{"/steps/0/after/0"}},
		"after makes a circle":          {steps(`{"name":"a","command":"q.a","after":["b"]}`, `{"name":"b","command":"q.b"}`), []string{"/steps/0/after", "/steps/1/after"}},
		"two pivots":                    {steps(`{"name":"a","command":"q.a","kind":"pivot"}`, `{"name":"b","command":"q.b","kind":"pivot"}`), []string{"/steps/0/kind"}},
		"a step beside the pivot":       {steps(`{"name":"a","command":"q.a"}`, `{"name":"p","command":"q.p","kind":"pivot","after":[]}`), []string{"/steps/0/after"}},
		"retriable before the pivot":    {steps(`{"name":"a","command":"q.a","kind":"retriable"}`, `{"name":"p","command":"q.p","kind":"pivot"}`), []string{"/steps/0/kind"}},
		"not retriable after the pivot": {steps(`{"name":"p","command":"q.p","kind":"pivot"}`, `{"name":"a","command":"q.a"}`), []string{"/steps/1/kind"}},
		"some retriable, no pivot":      {steps(`{"name":"a","command":"q.a"}`, `{"name":"b","command":"q.b","kind":"retriable"}`), []string{"/steps/1/kind"}},
		"a pivot with a compensation":   {steps(`{"name":"p","command":"q.p","kind":"pivot","compensation":"q.u"}`), []string{"/steps/0/compensation"}},
		"a policy out of range": {
			steps(`{"name":"a","command":"q.a","timeout":"0s","retry":{"max_attempts":0,"multiplier":0.5,"jitter":2,"initial_interval":"-1s"}}`),
			[]string{"/steps/0/timeout", "/steps/0/compensation_timeout", "/steps/0/retry/max_attempts", "/steps/0/retry/multiplier", "/steps/0/retry/jitter", "/steps/0/retry/initial_interval"},
		},
		"unknown fields": {`{"stepz":[],"steps":[{"name":"a","command":"q.a","x":1}]}`, []string{"/stepz", "/steps/0/x"}},
		"a wrong type":   {`{"deadline":5,"steps":[{"name":"a","command":7}]}`, []string{"/deadline", "/steps/0/command", "/steps/0/command"}},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			_, err := saga.ParseDefinition("d", 1, []byte(c.body))
			var faults saga.Faults
			require.ErrorAs(t, err, &faults)
			var pointers []string
			for _, fault := range faults {
				pointers = append(pointers, fault.Pointer)
			}
			require.Equal(t, c.pointers, pointers, faults.Error())
		})
	}
}

func TestSpellingMakesNoDifferenceToADefinition(t *testing.T) {
	t.Parallel()
	short, err := saga.ParseDefinition("d", 1, []byte(`{"steps":[{"name":"a","command":"q.a"},{"name":"b","command":"q.b","compensation":"q.u"}]}`))
	require.NoError(t, err)
	spelled, err := short.MarshalJSON()
	require.NoError(t, err)
	long, err := saga.ParseDefinition("d", 1, spelled)
	require.NoError(t, err)
	again, err := long.MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, string(spelled), string(again))
	built := saga.New("d").Step("a", "q.a").Step("b", "q.b", saga.CompensatedBy("q.u")).MustBuild()
	one, err := short.Hash()
	require.NoError(t, err)
	two, err := built.Hash()
	require.NoError(t, err)
	require.Equal(t, one, two, "Go and JSON give the same plan")
	require.Equal(t, "q", built.Steps[0].Queue)
	require.Equal(t, 20, built.Steps[1].CompensationRetry.MaxAttempts)
}
