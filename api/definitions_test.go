package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

func TestDefinitionsAreVersioned(t *testing.T) {
	t.Parallel()
	o := start(t)
	put := func(body string) answer { return o.send(http.MethodPut, "/v1/definitions/order", body) }
	a := put(`{"steps":[` + reserve + `]}`)
	first := into[resource.Definition](a, http.StatusCreated)
	assert.Equal(t, 1, first.Version)
	assert.Equal(t, "/v1/definitions/order/versions/1", a.Header.Get("Location"))
	assert.Equal(t, 1, into[resource.Definition](put(` {"steps": [`+reserve+`]} `), http.StatusOK).Version)
	again := into[resource.Definition](put(bodyOfDefinition(t, first)), http.StatusOK)
	assert.Equal(t, 1, again.Version, "explicit defaults do not make a new version")
	assert.Equal(t, 2, into[resource.Definition](put(`{"steps":[`+reserve+`,`+charge+`]}`), http.StatusCreated).Version)

	assert.Equal(t, 2, into[resource.Definition](o.get("/v1/definitions/order"), http.StatusOK).Version)
	old := into[resource.Definition](o.get("/v1/definitions/order/versions/1"), http.StatusOK)
	assert.JSONEq(t, bodyOfDefinition(t, first), bodyOfDefinition(t, old))
	assert.False(t, old.CreatedAt.IsZero())
	assert.Len(t, into[resource.List[resource.Definition]](o.get("/v1/definitions/order/versions"), http.StatusOK).Items, 2)
	o.define("another", charge)
	page := into[resource.List[resource.Definition]](o.get("/v1/definitions?limit=1"), http.StatusOK)
	require.Len(t, page.Items, 1)
	assert.Equal(t, "another", page.Items[0].Name)
	last := o.get("/v1/definitions?limit=1&cursor=" + string(page.NextCursor))
	page = into[resource.List[resource.Definition]](last, http.StatusOK)
	assert.Equal(t, "order", page.Items[0].Name)
	assert.Contains(t, string(last.content), `"next_cursor":null`, "the last page has the member, too")
}

func TestAllFaultsOfADefinitionAreListed(t *testing.T) {
	t.Parallel()
	o := start(t)
	found := o.send(http.MethodPut, "/v1/definitions/order",
		`{"steps":[{"name":"A secret","command":"x.y"},{"name":"b","command":"x.y","after":["none"],"colour":"red"}]}`).
		problem(422, "invalid_definition")
	var pointers []string
	for _, fault := range found.Errors {
		pointers = append(pointers, fault.Pointer)
	}
	assert.Subset(t, pointers, []string{"/steps/0/name", "/steps/1/after/0", "/steps/1/colour"})
	text, err := json.Marshal(found)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secret")

	o.send(http.MethodPut, "/v1/definitions/a.b%2F", `{"steps":[`+reserve+`]}`).problem(422, "invalid_definition")
	o.send(http.MethodPut, "/v1/definitions/order", `{}`).problem(422, "invalid_definition")
	o.send(http.MethodPut, "/v1/definitions/order", `{"steps":[],"steps":[]}`).problem(400, "invalid_body")
	o.send(http.MethodPut, "/v1/definitions/order", "").problem(400, "invalid_body")
	o.send(http.MethodPut, "/v1/definitions/order", `{"description":"`+strings.Repeat("x", 1<<20)+`"}`).problem(413, "payload_too_large")
}

func TestAMissingDefinitionIsNotFound(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	for _, path := range []string{"none", "%00", "none/versions", "order/versions/2", "order/versions/99999999999", "none/versions/1"} {
		o.get("/v1/definitions/"+path).problem(404, "definition_not_found")
	}
	o.get("/v1/definitions/order/versions/0").problem(422, "invalid_parameter")
	o.get("/v1/definitions/order/versions/x").problem(422, "invalid_parameter")
}

func bodyOfDefinition(t *testing.T, d resource.Definition) string {
	t.Helper()
	body, err := d.Body()
	require.NoError(t, err)
	return string(body)
}
