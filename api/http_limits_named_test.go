package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A refusal names the limit, so that a caller need not guess it.
func TestRefusalsNameTheLimit(t *testing.T) {
	t.Parallel()
	o := start(t)
	named := func(a answer, code string) string {
		faults := a.problem(422, code).Errors
		require.Len(t, faults, 1)
		return faults[0].Message
	}
	const durations = "must be a duration such as 30s, from 1ms to 8760h0m0s"
	for body, message := range map[string]string{
		`"version":2147483648`:                          "must be 1 to 2147483647",
		`"deadline":"0s"`:                               durations,
		`"deadline":"` + strings.Repeat("9", 30) + `h"`: durations,
		`"deadline":"8761h"`:                            "must be 1ms to 8760h0m0s",
		`"key":""`:                                      "must be a string that is not empty",
		`"key":"` + strings.Repeat("k", 129) + `"`:      "must be at most 128 printable characters",
	} {
		assert.Equal(t, message, named(o.post("/v1/sagas", `{"definition":"order",`+body+`}`), "invalid_field"), body)
	}
	const times, waits = "must be a time by RFC 3339 such as 2026-01-31T12:00:00Z", "must be a duration with a unit such as 30s, up to 60s"
	for path, message := range map[string]string{
		"?key=" + strings.Repeat("k", 129):          "must be at most 128 printable characters",
		"?version=99999999999":                      "must be at most 2147483647",
		"?version=0":                                "must be at least 1",
		"?created_after=x":                          times,
		"?created_before=2026-01-31":                times,
		"/01JD0000000000000000000000?wait=2562048h": waits,
		"/01JD0000000000000000000000?wait=5":        waits,
	} {
		assert.Equal(t, message, named(o.get("/v1/sagas"+path), "invalid_parameter"), path)
	}
}

// An id that no dead letter can have is a mistake of the caller: the bulk action would select nothing.
func TestABulkActionRefusesWhatIsNotTheIDOfADeadLetter(t *testing.T) {
	t.Parallel()
	o := start(t)
	acts := func(id string) answer {
		return o.post("/v1/dead-letters/actions", `{"action":"discard","reason":"r","dry_run":true,"filter":{"ids":["`+id+`"]}}`)
	}
	for _, id := range []string{"x", "", "start-request-x", "01JD"} {
		faults := acts(id).problem(422, "invalid_field").Errors
		require.Len(t, faults, 1)
		assert.Equal(t, "/filter/ids", faults[0].Pointer)
	}
	for _, id := range []string{"01JD0000000000000000000000", "start-request-7", "orphan/01JD0000000000000000000000/reserve/execute/1"} {
		assert.Equal(t, 200, acts(id).StatusCode, id)
	}
}
