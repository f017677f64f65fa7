package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

func replaceID(path, id string) string { return strings.ReplaceAll(path, "{id}", id) }

// readable returns every path with GET, of existing and missing items.
func readable(id string) []string {
	return []string{
		"/healthz", "/readyz", "/readyz?verbose", "/metrics", "/docs", "/openapi.json", "/v1/sagas", "/v1/sagas/" + id, "/v1/sagas/" + id + "/why",
		"/v1/sagas/" + id + "/history", "/v1/sagas/" + id + "/watch", "/v1/definitions", "/v1/definitions/order", "/v1/definitions/order/versions",
		"/v1/definitions/order/versions/1", "/v1/dead-letters", "/v1/queues", "/v1/stats", "/v1/keys", "/v1/sagas?limit=0", "/v1/nothing",
		"/v1/sagas/01JD0000000000000000000000", "/v1/definitions/none", "/v1/dead-letters/none",
	}
}

func TestHEADIsGETWithoutTheBody(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.worker(succeed)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	o.untilStatus(id, "completed") // so that its stream ends
	for _, path := range readable(id) {
		got, head := o.get(path), o.send(http.MethodHead, path, "")
		assert.Equal(t, got.StatusCode, head.StatusCode, path)
		assert.Empty(t, head.content, path)
		for _, name := range []string{"Content-Type", "ETag", "Cache-Control", "X-Accel-Buffering", "Content-Security-Policy"} {
			assert.Equal(t, got.Header.Values(name), head.Header.Values(name), "%s %s", path, name)
		}
	}
	open := o.begin(`{"definition":"order","start_at":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`).ID
	head := o.send(http.MethodHead, "/v1/sagas/"+open+"/watch", "")
	assert.Equal(t, http.StatusOK, head.StatusCode, "the answer to HEAD is not a stream")
	assert.Equal(t, "text/event-stream", head.Header.Get("Content-Type"))
	o.send(http.MethodHead, "/v1/sagas/"+open+"/pause", "") // the path has no GET
	assert.Equal(t, 405, o.send(http.MethodHead, "/v1/sagas/"+open+"/pause", "").StatusCode)
}

func TestHEADNeedsTheSameKeyAsGET(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.Auth = api.AuthKeys })
	assert.Equal(t, http.StatusUnauthorized, o.send(http.MethodHead, "/v1/sagas", "").StatusCode)
	key, secret, faults := api.NewKey(resource.NewKey{Name: "reader", Role: string(record.Viewer)}, time.Now())
	require.Empty(t, faults)
	require.NoError(t, o.store.CreateKey(t.Context(), key))
	o.key = secret
	assert.Equal(t, http.StatusOK, o.send(http.MethodHead, "/v1/sagas", "").StatusCode)
	assert.Equal(t, http.StatusForbidden, o.send(http.MethodHead, "/v1/keys", "").StatusCode)
}

func TestOptionsListsTheMethodsOfAPath(t *testing.T) {
	t.Parallel()
	o := start(t)
	for path, allowed := range map[string]string{
		"/v1/sagas": "GET, HEAD, POST, OPTIONS", "/healthz": "GET, HEAD, OPTIONS", "/v1/definitions/order": "GET, HEAD, PUT, PATCH, OPTIONS",
		"/v1/sagas/x/pause": "POST, OPTIONS", "/v1/keys/x": "DELETE, OPTIONS",
	} {
		a := o.send(http.MethodOptions, path, "")
		assert.Equal(t, http.StatusNoContent, a.StatusCode)
		assert.Equal(t, allowed, a.Header.Get("Allow"), path)
		assert.Empty(t, a.Header.Get("Access-Control-Allow-Origin"), "other sites must not read")
		refused := o.send("BREW", path, "")
		refused.problem(405, "method_not_allowed")
		assert.Equal(t, allowed, refused.Header.Get("Allow"), path)
	}
	o.send(http.MethodOptions, "/v1/nothing", "").problem(404, "not_found")
}

func TestAKnownRevisionIsNotSentAgain(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	path := "/v1/sagas/" + o.begin(`{"definition":"order"}`).ID
	tag := o.get(path).Header.Get("ETag")
	for _, list := range []string{tag, "W/" + tag, `"999", ` + tag, "*"} {
		a := o.get(path, header{"If-None-Match", list})
		require.Equal(t, http.StatusNotModified, a.StatusCode, list)
		assert.Equal(t, tag, a.Header.Get("ETag"))
		assert.Empty(t, a.content)
	}
	o.get(path, header{"If-None-Match", `"999"`}).saga(http.StatusOK)
	o.get(path, header{"If-None-Match", `nonsense`}).problem(422, "invalid_parameter")
}
