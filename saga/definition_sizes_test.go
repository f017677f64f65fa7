package saga_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// listed returns so many elements, in which %d is their number.
func listed(count int, element string) string {
	elements := make([]string, count)
	for i := range elements {
		elements[i] = strings.ReplaceAll(element, "%d", fmt.Sprint(i))
	}
	return strings.Join(elements, ",")
}

// afterAll returns steps of which each comes after all before it.
func afterAll(count int) string {
	var steps []string
	for i := range count {
		steps = append(steps, fmt.Sprintf(`{"name":"s%d","command":"q.a","after":[%s]}`, i, listed(i, `"s%d"`)))
	}
	return strings.Join(steps, ",")
}

// Both readings take milliseconds. Some of these took from seconds to hours when the time grew by the square of the length.
func TestALargeDefinitionIsReadInTimeByItsSize(t *testing.T) {
	t.Parallel()
	const step = `{"name":"s%d","command":"q.a"}`
	begun := time.Now()
	for name, body := range map[string]string{
		"elements that are no steps": `{"steps":[` + listed(90_000, "1") + `]}`,
		"empty steps":                `{"steps":[` + listed(90_000, "{}") + `]}`,
		"steps":                      `{"steps":[` + listed(24_000, step) + `]}`,
		"equal steps before":         `{"steps":[{"name":"a","command":"q.a","after":[` + listed(90_000, `"a"`) + `]}]}`,
		"steps before":               `{"steps":[` + listed(90, step) + `,{"name":"b","command":"q.b","after":[` + listed(90_000, `"s%d"`) + `]}]}`,
		"pointers":                   `{"steps":[` + listed(90, step) + `],"sensitive":[` + listed(90_000, `"s%d"`) + `]}`,
		"codes":                      `{"steps":[{"name":"a","command":"q.a","retry":{"non_retryable":[` + listed(90_000, `"s%d"`) + `]}}]}`,
		"input":                      `{"steps":[{"name":"a","command":"q.a","input":{` + listed(45_000, `"s%d":"a"`) + `}}]}`,
		"members of a step":          `{"steps":[{"name":"a","command":"q.a",` + listed(45_000, `"s%d":1`) + `}]}`,
		"members":                    `{"steps":[` + listed(99, `{"name":"s%d"}`) + `],` + listed(90_000, `"s%d":1`) + `}`,
		"members of retention":       `{"steps":[` + listed(99, step) + `],"retention":{` + listed(90_000, `"s%d":1`) + `}}`,
		"all after all":              `{"steps":[` + afterAll(500) + `]}`,
	} {
		_, err := saga.ParseDefinition("d", 1, []byte(body))
		assert.Error(t, err, name)
		_, _ = saga.ReadDefinition("d", 1, []byte(body))
	}
	assert.Less(t, time.Since(begun), time.Minute)
}

func TestAStoredDefinitionHasLimits(t *testing.T) {
	t.Parallel()
	const step = `{"name":"s%d","command":"q.a"}`
	_, err := saga.ReadDefinition("d", 1, []byte(`{"steps":[`+listed(500, step)+`]}`))
	assert.NoError(t, err)
	_, err = saga.ReadDefinition("d", 1, []byte(`{"steps":[`+listed(501, step)+`]}`))
	assert.ErrorContains(t, err, "/steps there must be 1 to 500 steps")

	large := func(bytes int) []byte {
		const head, tail = `{"steps":[{"name":"a","command":"q.a"}],"unknown":"`, `"}`
		return []byte(head + strings.Repeat("a", bytes-len(head)-len(tail)) + tail)
	}
	_, err = saga.ReadDefinition("d", 1, large(4<<20))
	assert.NoError(t, err)
	_, err = saga.ReadDefinition("d", 1, large(4<<20+1))
	assert.ErrorContains(t, err, "4194305 bytes is larger than 4194304")
}
