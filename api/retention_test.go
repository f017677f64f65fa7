package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestADeletedSagaIsGoneAndTheArchiveShowsItAsItWas(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	o.worker(succeed)
	key := header{"Idempotency-Key", "k"}
	id := o.begin(`{"definition":"order","data":{"html":"<&>"}}`, key).ID
	shown := o.untilStatus(id, saga.Completed)
	var history resource.List[resource.HistoryEntry]
	require.NoError(t, json.Unmarshal(o.get("/v1/sagas/"+id+"/history").content, &history))
	var kept []record.SagaWithHistory
	require.Eventually(t, func() bool { // its last command has left the outbox
		var err error
		kept, err = o.store.WithHistory(t.Context(), []string{id})
		return err == nil && len(kept) == 1
	}, 10*time.Second, 5*time.Millisecond)
	line, err := api.NewArchiver(o.store.Definition).Line(t.Context(), kept[0])
	require.NoError(t, err)
	assert.NotContains(t, string(line), "\n")
	var archived struct {
		Saga    resource.Saga           `json:"saga"`
		History []resource.HistoryEntry `json:"history"`
	}
	require.NoError(t, json.Unmarshal(line, &archived))
	assert.Equal(t, shown, archived.Saga)
	assert.Equal(t, history.Items, archived.History)

	deletion := record.Deletion{IDs: []string{id}, Expiry: record.Expiry{
		Definition: "order", Statuses: []saga.Status{saga.Completed}, Before: time.Now().Add(time.Hour),
	}}
	require.Eventually(t, func() bool {
		sagas, _, err := o.store.DeleteSagas(t.Context(), deletion)
		return assert.NoError(t, err) && sagas == 1
	}, 10*time.Second, time.Millisecond)
	o.get("/v1/sagas/"+id).problem(404, "saga_not_found")
	o.get("/v1/sagas/"+id+"/history").problem(404, "saga_not_found")
	found := o.post("/v1/sagas", `{"definition":"order","data":{"html":"<&>"}}`, key).problem(410, "saga_gone")
	assert.Equal(t, id, found.SagaID)
	o.post("/v1/sagas", `{"definition":"order"}`, key).problem(422, "idempotency_conflict")
}

// After the deletion the archive is the only record of a saga, so it holds the values that viewers get masked.
func TestTheArchiveHoldsTheValuesOfSensitiveMembers(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	stored, err := v.store.Saga(t.Context(), v.saga)
	require.NoError(t, err)
	history, _, err := v.store.History(t.Context(), v.saga, record.Page{})
	require.NoError(t, err)
	line, err := api.NewArchiver(v.store.Definition).Line(t.Context(), record.SagaWithHistory{StoredSaga: stored, History: history})
	require.NoError(t, err)
	var archived api.ArchivedSaga
	require.NoError(t, json.Unmarshal(line, &archived))
	var operators resource.List[resource.HistoryEntry]
	_, v.key = v.holder(record.Operator)
	require.NoError(t, json.Unmarshal(v.get("/v1/sagas/"+v.saga+"/history").content, &operators))
	assert.Equal(t, v.get("/v1/sagas/"+v.saga).saga(http.StatusOK), archived.Saga)
	assert.Equal(t, operators.Items, archived.History)
	assert.Contains(t, string(archived.Saga.Data), cardNumber)
}

func TestADefinitionShowsItsRetention(t *testing.T) {
	t.Parallel()
	o := start(t)
	const steps = `"steps":[{"name":"a","command":"work.a"}]`
	path := "/v1/definitions/order"
	require.Equal(t, http.StatusCreated, o.send(http.MethodPut, path, `{"retention":{"completed":{"age":"1d","count":10},"undone":{"age":"0"}},`+steps+`}`).StatusCode)
	var shown resource.Definition
	require.NoError(t, json.Unmarshal(o.get(path).content, &shown))
	require.NotNil(t, shown.Retention)
	assert.Equal(t, resource.RetentionRule{Age: "24h0m0s", Count: 10}, *shown.Retention.Completed)
	assert.Equal(t, resource.RetentionRule{Age: "0"}, *shown.Retention.Undone)
	require.Equal(t, http.StatusOK, o.send(http.MethodPut, path, bodyOfDefinition(t, shown)).StatusCode, "its body is the same definition")
	refused := o.send(http.MethodPut, path, `{"retention":{"completed":{"age":"soon","count":0}},`+steps+`}`).problem(422, "invalid_definition")
	require.Len(t, refused.Errors, 2)
	assert.Equal(t, "/retention/completed/age", refused.Errors[0].Pointer)
}
