package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// register puts a definition.
func (o *orchestrator) register(name, body string) {
	o.t.Helper()
	a := o.send(http.MethodPut, "/v1/definitions/"+name, body)
	require.Contains(o.t, []int{http.StatusOK, http.StatusCreated}, a.StatusCode, "%s", a.content)
}

const withApproval = `{"steps":[{"name":"approval","signal":"approved","output_as":"approval"}]}`

func TestASignalIsGivenOnce(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.register("order", withApproval)
	id := o.begin(`{"definition":"order"}`).ID
	path := "/v1/sagas/" + id + "/signals/"
	waiting := o.untilStatus(id, saga.Running)
	require.Equal(t, resource.Text("approved"), waiting.Steps[0].WaitsFor.Signal)
	require.Nil(t, waiting.Steps[0].DeadlineAt)

	why := o.why(id, resource.CauseWaitingForSignal)
	assert.Nil(t, why.NextAutomatic, "nothing happens by itself")

	o.post(path+"shipped", "").problem(404, "unknown_signal")
	o.post(path+"approved", `{"output":[]}`).problem(422, "invalid_field")
	o.post(path+"approved", `{"output":{},"error":{"code":"x"}}`).problem(422, "invalid_field")
	o.post(path+"approved", `{"error":{"code":""}}`).problem(422, "invalid_field")
	code := o.post(path+"approved", `{"error":{"code":""}}`).problem(422, "invalid_field")
	assert.Equal(t, "/error/code", code.Errors[0].Pointer)
	inside := o.post(path+"approved", `{"error":{"code":"x","retryable":true}}`).problem(422, "invalid_field")
	assert.Equal(t, "/error", inside.Errors[0].Pointer)
	o.post(path+"approved", `{"who":"ann"}`).problem(422, "unknown_field")
	o.post("/v1/sagas/01JDBV8M5ZK7Q9GW3N1T4RXYEA/signals/approved", "").problem(404, "saga_not_found")
	o.post(path+"approved", "", header{"If-Match", `"999"`}).problem(http.StatusPreconditionFailed, "revision_moved")
	key := header{"Idempotency-Key", "k1"}
	done := o.send(http.MethodPost, path+"approved", `{"output":{"by":"ann","n":1}}`, key).saga(http.StatusOK)
	assert.Equal(t, saga.Completed, done.Status)
	assert.JSONEq(t, `{"approval":{"by":"ann","n":1}}`, string(done.Data))
	o.send(http.MethodPost, path+"approved", `{"output":{"n":1,"by":"ann"}}`, key).saga(http.StatusOK)
	o.send(http.MethodPost, path+"approved", `{"output":{"by":"bob"}}`, key).problem(422, "idempotency_conflict")
	o.post(path+"approved", "").problem(409, "not_applicable")
}

func TestASignalMayComeBeforeItsStepAndMayRefuse(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.register("order", `{"steps":[{"name":"cool-off","delay":"1h"},{"name":"approval","signal":"approved"}]}`)
	id := o.begin(`{"definition":"order"}`).ID
	path := "/v1/sagas/" + id + "/signals/approved"
	o.post(path, "").saga(http.StatusOK)
	o.post(path, "").problem(409, "signal_taken")
	why := o.why(id, resource.CauseWaitingForDelay)
	require.NotNil(t, why.NextAutomatic)
	require.NotNil(t, why.NextAutomatic.At)

	o.register("simple", withApproval)
	other := o.begin(`{"definition":"simple"}`).ID
	refused := o.post("/v1/sagas/"+other+"/signals/approved", `{"error":{"code":"too_expensive","message":"no"}}`).saga(http.StatusOK)
	assert.Equal(t, saga.Compensated, refused.Status)
	assert.Equal(t, "too_expensive", refused.Failure.Code)
}

func TestTheDataOfAStartIsCheckedByTheSchema(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.register("order", `{"data_schema":{"required":["id"],"properties":{"id":{"type":"string"}}},"steps":[{"name":"w","signal":"go"}]}`)
	bad := o.post("/v1/sagas", `{"definition":"order","data":{"id":7}}`).problem(422, "invalid_data")
	require.Len(t, bad.Errors, 1)
	assert.Equal(t, "/data/id", bad.Errors[0].Pointer)
	o.post("/v1/sagas", `{"definition":"order"}`).problem(422, "invalid_data")
	key := header{"Idempotency-Key", "k1"}
	o.send(http.MethodPost, "/v1/sagas", `{"definition":"order","data":{"id":7}}`, key).problem(422, "invalid_data")
	first := o.send(http.MethodPost, "/v1/sagas", `{"definition":"order","data":{"id":"7"}}`, key).saga(http.StatusCreated)
	o.register("order", `{"data_schema":{"required":["tenant"]},"steps":[{"name":"w","signal":"go"}]}`)
	again := o.send(http.MethodPost, "/v1/sagas", `{"definition":"order","data":{"id":"7"}}`, key).saga(http.StatusOK)
	assert.Equal(t, first.ID, again.ID, "a repeated start finds its saga, whatever the newest schema says")
	o.send(http.MethodPost, "/v1/sagas", `{"definition":"order","data":{"id":"8"}}`, header{"Idempotency-Key", "k2"}).problem(422, "invalid_data")
}

func TestConditionsAndSchemasAreCompiledAtRegistration(t *testing.T) {
	t.Parallel()
	o := start(t)
	bad := o.send(http.MethodPut, "/v1/definitions/order", `{"data_schema":{"type":7},
		"steps":[{"name":"a","command":"q.a","when":"data.x >"},{"name":"b","command":"q.b","when":"1"},{"name":"c","command":"q.c","output_schema":{"$ref":"http://x/"}}]}`).
		problem(422, "invalid_definition")
	var pointers []string
	for _, fault := range bad.Errors {
		pointers = append(pointers, fault.Pointer)
	}
	assert.Equal(t, []string{"/data_schema", "/steps/0/when", "/steps/1/when", "/steps/2/output_schema"}, pointers)

	o.register("order", `{"data_schema":{ "type" : "object" },"steps":[{"name":"a","command":"q.a","when":"data.x > 1","input":{"y":"/x"}}]}`)
	shown := into[map[string]json.RawMessage](o.get("/v1/definitions/order"), http.StatusOK)
	assert.JSONEq(t, `{"type":"object"}`, string(shown["data_schema"]))
	o.send(http.MethodPut, "/v1/definitions/order", `{"data_schema":{"type":"object"},"steps":[{"name":"a","command":"q.a","when":"data.x > 1","input":{"y":"/x"}}]}`)
	shown = into[map[string]json.RawMessage](o.get("/v1/definitions/order"), http.StatusOK)
	assert.Equal(t, "1", string(shown["version"]), "white space makes no difference")
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
