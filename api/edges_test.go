package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
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

func TestEveryReasonForAttentionIsAFilter(t *testing.T) {
	t.Parallel()
	o := start(t)
	for _, reason := range saga.AttentionReasons() {
		assert.Equal(t, http.StatusOK, o.get("/v1/sagas?attention_reason="+string(reason)).StatusCode, reason)
	}
}

// Only a late effect is compensated by step: a step that is named does not cancel the whole saga.
func TestCompensateOfAStepDoesNotCancelTheSaga(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	o.post("/v1/sagas/"+id+"/compensate", `{"step":"reserve","reason":"only this"}`).problem(http.StatusConflict, saga.RefusedNotApplicable)
	assert.Equal(t, saga.Running, into[resource.Saga](o.get("/v1/sagas/"+id), http.StatusOK).Status)
	for _, action := range []string{"retry", "compensate"} {
		o.post("/v1/sagas/"+id+"/"+action, `{"step":"","reason":"x"}`).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
	}
}

// encoding/json ignores the case of names, and takes null for an empty string.
func TestNamesInsideOfObjectsAreExact(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.send(http.MethodPut, "/v1/definitions/approval", `{"steps":[{"name":"w","signal":"go"}]}`)
	id := o.begin(`{"definition":"approval"}`).ID
	o.post("/v1/sagas/"+id+"/signals/go", `{"error":{"CODE":"first","code":"x","Message":"m"}}`).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
	o.post("/v1/sagas", `{"definition":"approval","labels":{"a":null}}`).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
	into[resource.Saga](o.post("/v1/sagas/"+id+"/signals/go", `{"error":{"code":"x","message":"m"}}`), http.StatusOK)
}

// What an answer has as null, its schema allows: a client that is generated from it is strict.
func TestTheSchemaAllowsTheNullsOfASaga(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.send(http.MethodPut, "/v1/definitions/approval", `{"steps":[{"name":"w","signal":"go"}]}`)
	id := o.begin(`{"definition":"approval"}`).ID
	document := into[struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Type any `json:"type"`
				} `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}](o.get("/openapi.json"), http.StatusOK)
	check := func(schema string, shown map[string]any) {
		for name, value := range shown {
			member, known := document.Components.Schemas[schema].Properties[name]
			require.True(t, known, "%s.%s", schema, name)
			if value == nil && member.Type != nil { // without a type it may be anything
				assert.Contains(t, member.Type, "null", "%s.%s", schema, name)
			}
		}
	}
	shown := into[map[string]any](o.get("/v1/sagas/"+id), http.StatusOK)
	check("Saga", shown)
	step := shown["steps"].([]any)[0].(map[string]any)
	check("SagaStep", step)
	check("WaitsFor", step["waits_for"].(map[string]any))
}
