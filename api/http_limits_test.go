package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// A value at its limit is accepted; a value above it is refused with the limit and the member.
func TestTheLimitsOfAStart(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	start := func(members string) string { return `{"definition":"order"` + members + `}` }
	labels := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"l%d":""`, i))
		}
		return start(`,"labels":{` + strings.Join(all, ",") + `}`)
	}
	const body = 256 << 10
	frame := start(`,"data":{"x":""}`)
	for name, c := range map[string]struct{ at, past, place, limit string }{
		"body":        {strings.Replace(frame, `""`, `"`+x("x", body-len(frame))+`"`, 1), strings.Replace(frame, `""`, `"`+x("x", body-len(frame)+1)+`"`, 1), "body", "256 KiB"},
		"key":         {start(`,"key":"` + x("é", 128) + `"`), start(`,"key":"` + x("é", 129) + `"`), "key", "128"},
		"labels":      {labels(32), labels(33), "labels", "32"},
		"label name":  {start(`,"labels":{"` + x("l", 63) + `":""}`), start(`,"labels":{"` + x("l", 64) + `":""}`), "labels", "63"},
		"label value": {start(`,"labels":{"l":"` + x("é", 256) + `"}`), start(`,"labels":{"l":"` + x("é", 257) + `"}`), "labels", "256"},
		"priority":    {start(`,"priority":9`), start(`,"priority":10`), "priority", "0 to 9"},
		"deadline":    {start(`,"deadline":"8760h"`), start(`,"deadline":"8761h"`), "deadline", "8760h"},
		"nesting":     {start(`,"data":{"a":` + x("[", 30) + x("]", 30) + `}`), start(`,"data":{"a":` + x("[", 31) + x("]", 31) + `}`), "at byte", "32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := api.DecodeStart([]byte(c.at), time.Now())
			require.NoError(t, err)
			_, err = api.DecodeStart([]byte(c.past), time.Now())
			var problem *resource.Problem
			require.ErrorAs(t, err, &problem)
			told := fmt.Sprint(problem.Detail, problem.Errors)
			require.Contains(t, told, c.place)
			require.Contains(t, told, c.limit)
		})
	}
}
