package api_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// queries returns every query parameter in the OpenAPI document, by path. {id} stands for a saga.
func (o *orchestrator) queries() map[string][]string {
	o.t.Helper()
	type parameter struct{ Name, In string }
	document := into[struct {
		Paths map[string]map[string]struct{ Parameters []parameter }
	}](o.get("/openapi.json"), http.StatusOK)
	found := make(map[string][]string)
	for path, item := range document.Paths {
		for _, p := range item["get"].Parameters {
			if p.In == "query" {
				found[path] = append(found[path], p.Name)
			}
		}
	}
	return found
}

func TestAnEmptyParameterIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	queries := o.queries()
	require.GreaterOrEqual(t, len(queries["/v1/sagas"]), 11)
	for path, names := range queries {
		if path == "/readyz" {
			continue // ?verbose is a flag
		}
		path = replaceID(path, id)
		for _, name := range names {
			for _, blank := range []string{"", " ", "\t\n", "\u00a0"} {
				found := o.get(path+"?"+url.Values{name: {blank}}.Encode()).problem(422, "invalid_parameter")
				assert.Equal(t, name, found.Errors[0].Parameter, path)
			}
			o.get(path+"?"+name).problem(422, "invalid_parameter")
		}
	}
	o.post("/v1/sagas?wait=", `{"definition":"order"}`).problem(422, "invalid_parameter")
	o.send(http.MethodPatch, "/v1/sagas/"+id+"/data?reason=", `{}`).problem(422, "invalid_parameter")
	for _, query := range []string{
		"status=&status=stuck", "status=stuck&status=%20", "label=&label=a%3Db", "attention_reason=overdue&attention_reason=",
		"key=a&key=b", "limit=1&limit=2", "definition=order&definition=order", "attention=false", "version=0", "version=00x",
		"nothing=", "Status=stuck", "key[]=a",
	} {
		o.get("/v1/sagas?"+query).problem(422, "invalid_parameter")
	}
	for _, name := range []string{"Idempotency-Key", "If-Match", "If-None-Match"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.url+"/v1/sagas/"+id, nil)
		require.NoError(t, err)
		request.Header[name] = []string{" "}
		response, err := o.client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusUnprocessableEntity, response.StatusCode, name)
	}
}

func TestExtremeTimesFilter(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	o.begin(`{"definition":"order"}`)
	count := func(query string) int {
		return len(into[resource.List[resource.Saga]](o.get("/v1/sagas?"+query), http.StatusOK).Items)
	}
	for _, early := range []string{"0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00%2B00:00", "1970-01-01T00:00:00Z"} {
		assert.Zero(t, count("created_before="+early), early)
		assert.Equal(t, 1, count("created_after="+early), early)
	}
	assert.Equal(t, 1, count("created_before=9999-12-31T23:59:59.999999999Z"))
	assert.Zero(t, count("created_after=9999-12-31T23:59:59Z"))
	for _, wrong := range []string{"0", "now", "2026-11-23", "2026-13-01T00:00:00Z", "10000-01-01T00:00:00Z", "infinity", "-infinity"} {
		o.get("/v1/sagas?created_before="+wrong).problem(422, "invalid_parameter")
	}
}

func TestSinceZeroReturnsImmediately(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	path := "/v1/sagas/" + started.ID
	assert.Equal(t, started.ID, o.get(path+"?wait=30s&since=0").saga(http.StatusOK).ID, "every revision differs from 0")
	o.get(path+"?since=-1").problem(422, "invalid_parameter")
	o.get(path+"?since=1&since=2").problem(422, "invalid_parameter")
}

func TestEveryReasonForAttentionIsAFilter(t *testing.T) {
	t.Parallel()
	o := start(t)
	for _, reason := range saga.AttentionReasons() {
		assert.Equal(t, http.StatusOK, o.get("/v1/sagas?attention_reason="+string(reason)).StatusCode, reason)
	}
}
