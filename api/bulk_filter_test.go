package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// An empty filter never selects everything, however it is written.
func TestAnEmptyListInAFilterIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	for _, filter := range []string{`{"status":[ ]}`, `{"label":[` + "\n" + `]}`, `{"attention_reason":[	]}`, `{"key": "" }`, `{"ids":[ ]}`} {
		a := o.post("/v1/sagas/actions", `{"action":"acknowledge","filter":`+filter+`,"reason":"x"}`)
		assert.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s: %s", filter, a.content)
	}
}

func TestADryRunKnowsSagasWithConditionsAndSchemas(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.send(http.MethodPut, "/v1/definitions/order", `{"data_schema":{"type":"object"},
		"steps":[{"name":"a","queue":"work","command":"a.do","when":"data.x == 1"},{"name":"w","signal":"go"}]}`)
	o.begin(`{"definition":"order","data":{"x":1}}`)
	report := into[resource.DryRun](o.post("/v1/sagas/actions", `{"action":"pause","filter":{"definition":"order"},"reason":"x","dry_run":true}`), http.StatusOK)
	require.Len(t, report.Items, 1)
	assert.Empty(t, report.Items[0].Refused)
	assert.Contains(t, report.Items[0].Would, "paused")
}
