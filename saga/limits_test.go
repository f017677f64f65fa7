package saga_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// oneStep returns a definition with extra members of the definition, its step, and the policy of the step.
func oneStep(member, ofStep, ofPolicy string) string {
	return fmt.Sprintf(`{"steps":[{"name":"a","command":"q.a"%s,"retry":{"max_attempts":1%s}}]%s}`, ofStep, ofPolicy, member)
}

// A value at a limit is accepted. One past it is refused with the limit and its place.
func TestTheLimitsOfADefinition(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	attempts := func(n string) string {
		return `{"steps":[{"name":"a","command":"q.a","retry":{"max_attempts":` + n + `}}]}`
	}
	for name, c := range map[string]struct{ at, past, pointer, limit string }{
		"steps":         {`{"steps":[{"name":"z","command":"q.a"}` + shortSteps(99) + `]}`, `{"steps":[{"name":"z","command":"q.a"}` + shortSteps(100) + `]}`, "/steps", "1 to 100"},
		"description":   {oneStep(`,"description":"`+x("x", 4096)+`"`, "", ""), oneStep(`,"description":"`+x("x", 4097)+`"`, "", ""), "/description", "4096"},
		"step name":     {`{"steps":[{"name":"` + x("a", 63) + `","command":"q.a"}]}`, `{"steps":[{"name":"` + x("a", 64) + `","command":"q.a"}]}`, "/steps/0/name", "{0,62}"},
		"command":       {`{"steps":[{"name":"a","command":"` + x("a", 128) + `"}]}`, `{"steps":[{"name":"a","command":"` + x("a", 129) + `"}]}`, "/steps/0/command", "{0,127}"},
		"queue":         {oneStep("", `,"queue":"`+x("a", 128)+`"`, ""), oneStep("", `,"queue":"`+x("a", 129)+`"`, ""), "/steps/0/queue", "{0,127}"},
		"compensation":  {oneStep("", `,"compensation":"`+x("a", 128)+`"`, ""), oneStep("", `,"compensation":"`+x("a", 129)+`"`, ""), "/steps/0/compensation", "{0,127}"},
		"attempts":      {attempts("1000"), attempts("1001"), "/steps/0/retry/max_attempts", "1 to 1000"},
		"multiplier":    {oneStep("", "", `,"multiplier":100`), oneStep("", "", `,"multiplier":100.1`), "/steps/0/retry/multiplier", "1 to 100"},
		"jitter":        {oneStep("", "", `,"jitter":1`), oneStep("", "", `,"jitter":1.01`), "/steps/0/retry/jitter", "0 to 1"},
		"codes":         {oneStep("", "", `,"non_retryable":`+codes(100)), oneStep("", "", `,"non_retryable":`+codes(101)), "/steps/0/retry/non_retryable", "100"},
		"a code":        {oneStep("", "", `,"non_retryable":["`+x("c", 128)+`"]`), oneStep("", "", `,"non_retryable":["`+x("c", 129)+`"]`), "/steps/0/retry/non_retryable", "128"},
		"condition":     {oneStep("", `,"when":"`+x("a", 1024)+`"`, ""), oneStep("", `,"when":"`+x("a", 1025)+`"`, ""), "/steps/0/when", "1024"},
		"inputs":        {oneStep("", `,"input":`+inputs(100), ""), oneStep("", `,"input":`+inputs(101), ""), "/steps/0/input", "100"},
		"name of input": {oneStep("", `,"input":{"`+x("n", 128)+`":"/a"}`, ""), oneStep("", `,"input":{"`+x("n", 129)+`":"/a"}`, ""), "/steps/0/input/" + x("n", 16) + "…", "128"},
		"pointer":       {oneStep("", `,"input":{"a":"/`+x("p", 255)+`"}`, ""), oneStep("", `,"input":{"a":"/`+x("p", 256)+`"}`, ""), "/steps/0/input/a", "256"},
		"output_as":     {oneStep("", `,"output_as":"`+x("n", 128)+`"`, ""), oneStep("", `,"output_as":"`+x("n", 129)+`"`, ""), "/steps/0/output_as", "128"},
		"schema":        {oneStep("", `,"output_schema":`+schemaOf(64<<10), ""), oneStep("", `,"output_schema":`+schemaOf(64<<10+1), ""), "/steps/0/output_schema", "65536"},
		"data schema":   {oneStep(`,"data_schema":`+schemaOf(64<<10), "", ""), oneStep(`,"data_schema":`+schemaOf(64<<10+1), "", ""), "/data_schema", "65536"},
		"longest time":  {oneStep(`,"deadline":"8760h"`, "", ""), oneStep(`,"deadline":"8760h1ns"`, "", ""), "/deadline", "8760h"},
		"shortest time": {oneStep("", `,"timeout":"1ms"`, ""), oneStep("", `,"timeout":"999us"`, ""), "/steps/0/timeout", "1ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := saga.ParseDefinition("order", 1, []byte(c.at))
			require.NoError(t, err)
			_, err = saga.ParseDefinition("order", 1, []byte(c.past))
			var faults saga.Faults
			require.ErrorAs(t, err, &faults)
			require.Equal(t, c.pointer, faults[0].Pointer)
			require.Contains(t, faults[0].Message, c.limit)
		})
	}
}

// inputs returns an input with n members.
func inputs(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"i%d":"/a"`, i)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// schemaOf returns a schema of so many bytes.
func schemaOf(bytes int) string {
	const frame = len(`{"title":""}`)
	return `{"title":"` + strings.Repeat("t", bytes-frame) + `"}`
}

func shortSteps(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `,{"name":"s%d","command":"q.b"}`, i)
	}
	return text.String()
}

// A document at a limit is accepted, and one past it is refused.
func TestTheLimitsOfAJSONDocument(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	for name, c := range map[string]struct{ at, past, says string }{
		"depth":     {nested(32), nested(33), "nested deeper than 32 at byte 32"},
		"members":   {"[" + x("1,", 9_999) + "1]", "[" + x("1,", 10_000) + "1]", "more than 10000 members and elements at byte"},
		"string":    {`"` + x("s", 1<<20) + `"`, ` "` + x("s", 1<<20+1) + `"`, "a string of 1048577 bytes at byte 1, the limit is 1048576"},
		"name":      {`{"` + x("s", 1<<20) + `":1}`, `{"` + x("s", 1<<20+1) + `":1}`, "at byte 1, the limit is 1048576"},
		"digits":    {`[0.` + x("1", 999) + `]`, `[0.` + x("1", 1000) + `]`, "a number of 1001 digits at byte 1, the limit is 1000"},
		"exponent":  {`[1e308,1e-308]`, `[1e308,1e309]`, "an exponent beyond 308 at byte 7"},
		"magnitude": {`[1.7976931348623157e308]`, `[1.8e308]`, "beyond 1.8e308"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, saga.CheckJSON([]byte(c.at), saga.DefaultJSONLimits()))
			require.ErrorContains(t, saga.CheckJSON([]byte(c.past), saga.DefaultJSONLimits()), c.says)
		})
	}
}
