package saga_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// pointers returns the places of all faults, each once.
func pointers(t *testing.T, err error) []string {
	t.Helper()
	var faults saga.Faults
	require.ErrorAs(t, err, &faults)
	require.NotEmpty(t, faults)
	places, seen := []string{}, map[string]bool{}
	for _, fault := range faults {
		require.NotEmpty(t, fault.Message)
		require.ErrorContains(t, err, fault.Message)
		if !seen[fault.Pointer] {
			seen[fault.Pointer] = true
			places = append(places, fault.Pointer)
		}
	}
	return places
}

// steps returns a definition of those steps, with a name and command where they are missing.
func steps(members ...string) string {
	for i, member := range members {
		if !strings.Contains(member, `"name"`) {
			member = fmt.Sprintf(`"name":"s%d",%s`, i, member)
		}
		if !strings.Contains(member, `"command"`) {
			member = `"command":"q.c",` + member
		}
		members[i] = "{" + strings.TrimSuffix(member, ",") + "}"
	}
	return `{"steps":[` + strings.Join(members, ",") + `]}`
}

// refusedDefinitions maps each fault to a definition and the places of its faults.
func refusedDefinitions() map[string]struct {
	text   string
	faults []string
} {
	type row = struct {
		text   string
		faults []string
	}
	one := func(pointer string) []string { return []string{pointer} }
	return map[string]row{
		"no steps":                     {`{"steps":[]}`, one("/steps")},
		"steps left out":               {`{}`, one("/steps")},
		"steps that are null":          {`{"steps":null}`, one("/steps")},
		"101 steps":                    {steps(make([]string, 101)...), one("/steps")},
		"a name twice":                 {steps(`"name":"a"`, `"name":"b"`, `"name":"a"`), one("/steps/2/name")},
		"no name":                      {`{"steps":[{"command":"q.c"}]}`, one("/steps/0/name")},
		"an upper-case name":           {steps(`"name":"A"`), one("/steps/0/name")},
		"a leading hyphen":             {steps(`"name":"-a"`), one("/steps/0/name")},
		"an underscore":                {steps(`"name":"a_b"`), one("/steps/0/name")},
		"a slash":                      {steps(`"name":"a/b"`), one("/steps/0/name")},
		"a line end":                   {steps(`"name":"a\n"`), one("/steps/0/name")},
		"a name of 64":                 {steps(`"name":"` + strings.Repeat("a", 64) + `"`), one("/steps/0/name")},
		"no command":                   {`{"steps":[{"name":"a"}]}`, one("/steps/0/command")},
		"an odd command":               {steps(`"command":"a b"`), one("/steps/0/command")},
		"a command of 129":             {steps(`"command":"` + strings.Repeat("a", 129) + `"`), one("/steps/0/command")},
		"an odd compensation":          {steps(`"compensation":".u"`), one("/steps/0/compensation")},
		"an empty queue":               {steps(`"queue":""`), one("/steps/0/queue")},
		"an odd queue":                 {steps(`"queue":"a/b"`), one("/steps/0/queue")},
		"queue and command":            {steps(`"queue":"a/b","command":""`), []string{"/steps/0/queue", "/steps/0/command"}},
		"after an unknown step":        {steps(``, `"after":["s0","missing"]`), one("/steps/1/after/1")},
		"after the same twice":         {steps(``, `"after":["s0","s0"]`), one("/steps/1/after/1")},
		"after itself":                 {steps(`"after":["s0"]`), one("/steps/0/after")},
		"a cycle":                      {steps(`"after":["s2"]`, ``, ``, ``), []string{"/steps/0/after", "/steps/1/after", "/steps/2/after"}},
		"two pivots":                   {steps(`"kind":"pivot"`, `"kind":"pivot"`), one("/steps/1/kind")},
		"two, and a cycle":             {steps(`"kind":"pivot","after":["s1"]`, `"kind":"pivot"`), []string{"/steps/0/after", "/steps/1/after", "/steps/1/kind"}},
		"mixed, after an unknown step": {steps(`"after":["x"]`, `"kind":"retriable"`), []string{"/steps/0/after/0", "/steps/1/kind"}},
		"beside the pivot":             {steps(`"kind":"pivot"`, `"after":[]`), one("/steps/1/after")},
		"retriable beside it":          {steps(`"kind":"pivot"`, `"after":[],"kind":"retriable"`), one("/steps/1/after")},
		"retriable before":             {steps(`"kind":"retriable"`, `"kind":"pivot"`), one("/steps/0/kind")},
		"not retriable after":          {steps(`"kind":"pivot"`, ``), one("/steps/1/kind")},
		"some retriable":               {steps(``, `"kind":"retriable"`), one("/steps/1/kind")},
		"pivot compensated":            {steps(`"kind":"pivot","compensation":"q.u"`), one("/steps/0/compensation")},
		"retriable compensated":        {steps(`"kind":"retriable","compensation":"q.u"`), one("/steps/0/compensation")},
		"an unknown kind":              {steps(`"kind":"Pivot"`), one("/steps/0/kind")},
		"a long description":           {`{"description":"` + strings.Repeat("d", 4097) + `","steps":[{"name":"a","command":"q.a"}]}`, one("/description")},
		"a negative deadline":          {`{"deadline":"-1s","steps":[{"name":"a","command":"q.a"}]}`, one("/deadline")},
		"a deadline at once":           {`{"deadline":"0s","steps":[{"name":"a","command":"q.a"}]}`, one("/deadline")},
		"a deadline too far":           {`{"deadline":"8761h","steps":[{"name":"a","command":"q.a"}]}`, one("/deadline")},
		"no time at all":               {steps(`"timeout":"0s"`), one("/steps/0/timeout")},
		"a compensation's too":         {steps(`"compensation_timeout":"9000h"`), one("/steps/0/compensation_timeout")},
		"a wrong type":                 {steps(`"timeout":30`), one("/steps/0/timeout")},
		"wrong types": {
			`{"description":1,"deadline":1,"steps":[{"name":1,"command":1,"compensation":1,"queue":1,"kind":1,"after":"a","retry":1}]}`,
			[]string{
				"/description", "/deadline", "/steps/0/name", "/steps/0/command", "/steps/0/compensation", "/steps/0/queue",
				"/steps/0/kind", "/steps/0/after", "/steps/0/retry",
			},
		},
		"no object":               {`[]`, []string{"", "/steps"}},
		"steps of another type":   {`{"steps":{}}`, one("/steps")},
		"a step that is a number": {`{"steps":[{"name":"a","command":"q.a"},7]}`, []string{"/steps/1", "/steps/1/name", "/steps/1/command"}},
		"unknown fields": {
			`{"x":1,"Steps":[],"steps":[{"name":"a","command":"q.a","a/b~c":1,"retry":{"attempts":1},"compensation_retry":{"Jitter":1}}]}`,
			[]string{"/x", "/Steps", "/steps/0/a~1b~0c", "/steps/0/retry/attempts", "/steps/0/compensation_retry/Jitter"},
		},
		"a member twice":    {`{"steps":[{"name":"a","name":"a","command":"q.a"}]}`, one("")},
		"no JSON":           {`{"steps":[`, one("")},
		"nothing":           {``, one("")},
		"two documents":     {`{"steps":[{"name":"a","command":"q.a"}]} {}`, one("")},
		"a null after":      {steps(`"after":[null]`), one("/steps/0/after/0")},
		"nested faults":     {steps(`"retry":[],"timeout":"x"`), []string{"/steps/0/retry", "/steps/0/timeout"}},
		"faults everywhere": {steps(`"name":"A","timeout":"0s"`, `"after":["x"]`, `"kind":"y"`), []string{"/steps/0/name", "/steps/0/timeout", "/steps/1/after/0", "/steps/2/kind"}},
	}
}

func TestEveryRefusalNamesItsPlace(t *testing.T) {
	t.Parallel()
	for name, row := range refusedDefinitions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := saga.ParseDefinition("order", 1, []byte(row.text))
			require.ElementsMatch(t, row.faults, pointers(t, err))
		})
	}
}

func TestAPolicyOutOfRange(t *testing.T) {
	t.Parallel()
	for member, texts := range map[string][]string{
		"max_attempts":     {`0`, `-1`, `1001`, `1.5`, `"5"`, `true`},
		"initial_interval": {`"0s"`, `"-1s"`, `"1us"`, `"8761h"`, `1`},
		"multiplier":       {`0`, `0.99`, `-2`, `101`, `1e300`, `"2"`},
		"max_interval":     {`"0s"`, `"999ms"`, `"8761h"`, `[]`},
		"jitter":           {`-0.1`, `1.1`, `{}`},
		"non_retryable":    {`[""]`, `["` + strings.Repeat("c", 129) + `"]`, `"x"`, `[1]`, codes(101)},
	} {
		for _, policy := range []string{"retry", "compensation_retry"} {
			for _, text := range texts {
				given := steps(fmt.Sprintf(`"compensation":"q.u",%q:{%q:%s}`, policy, member, text))
				_, err := saga.ParseDefinition("order", 1, []byte(given))
				require.Error(t, err, given)
				require.Contains(t, pointers(t, err), "/steps/0/"+policy+"/"+member, given)
			}
		}
	}
	for _, number := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := saga.New("order").Step("a", "q.a", saga.Retry(saga.Jitter(number), saga.Backoff(time.Second, number, time.Minute))).Build()
		require.ElementsMatch(t, []string{"/steps/0/retry/jitter", "/steps/0/retry/multiplier"}, pointers(t, err))
	}
}

func codes(count int) string {
	all := make([]string, count)
	for i := range all {
		all[i] = fmt.Sprintf(`"code-%d"`, i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

func TestADefinitionAtItsLimits(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"100 steps":           steps(make([]string, 100)...),
		"names of 63":         steps(`"name":"` + strings.Repeat("a", 63) + `"`),
		"names of 1":          steps(`"name":"0"`),
		"a command of 128":    steps(`"command":"` + strings.Repeat("a", 128) + `"`),
		"retriable alone":     steps(`"kind":"retriable"`, `"kind":"retriable","after":[]`),
		"a pivot alone":       steps(`"kind":"pivot"`),
		"a pivot first":       steps(`"kind":"pivot"`, `"kind":"retriable"`, `"kind":"retriable","after":["s0"]`),
		"a pivot last":        steps(``, `"after":[]`, `"kind":"pivot","after":["s0","s1"]`),
		"listed after itself": steps(`"after":["s1"]`, `"after":[]`),
		"the widest policy":   steps(`"retry":{"max_attempts":1000,"initial_interval":"1ms","multiplier":100,"max_interval":"8760h","jitter":1,"non_retryable":` + codes(100) + `}`),
		"the longest":         `{"description":"` + strings.Repeat("d", 4096) + `","deadline":"8760h","steps":[{"name":"a","command":"q.a","timeout":"8760h"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := saga.ParseDefinition("order", 1, []byte(text))
			require.NoError(t, err)
		})
	}
}

func TestTheNameOfADefinition(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "Order_2-b", "0", strings.Repeat("a", 63)} {
		_, err := saga.New(name).Step("a", "q.a").Build()
		require.NoError(t, err, name)
	}
	for _, name := range []string{"", "-a", "_a", "a.b", "a/b", "ä", "a\n", strings.Repeat("a", 64)} {
		_, err := saga.New(name).Step("a", "q.a").Build()
		require.Equal(t, []string{""}, pointers(t, err), "%q", name)
	}
}
