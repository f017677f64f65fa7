package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Generated clients rely on these rules. `make openapi` runs the linters and generators themselves, which need npm.
func TestTheDocumentKeepsTheRulesOfAStrictLinter(t *testing.T) {
	t.Parallel()
	o := start(t)
	document := into[map[string]any](o.get("/openapi.json"), http.StatusOK)
	info := document["info"].(map[string]any)
	assert.NotEmpty(t, info["license"].(map[string]any)["identifier"])
	require.NotEmpty(t, document["servers"])
	visit(document, "", func(at string, node map[string]any) {
		if types, several := node["type"].([]any); several {
			assert.NotContains(t, types, "array", "%s: an array is never null", at)
		}
	})
	for path, item := range document["paths"].(map[string]any) {
		for method, one := range item.(map[string]any) {
			operation := one.(map[string]any)
			security, given := operation["security"].([]any)
			assert.True(t, given, "%s %s declares its security", method, path)
			assert.Equal(t, strings.HasPrefix(path, "/v1/"), len(security) > 0, path)
			assert.NotEmpty(t, operation["summary"], path)
			refusals := 0
			for status := range operation["responses"].(map[string]any) {
				if strings.HasPrefix(status, "4") {
					refusals++
				}
			}
			assert.NotZero(t, refusals, "%s %s", method, path)
		}
	}
}

// visit calls see with every object in a document.
func visit(value any, at string, see func(at string, node map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		see(at, v)
		for name, member := range v {
			visit(member, at+"/"+name, see)
		}
	case []any:
		for _, element := range v {
			visit(element, at+"/-", see)
		}
	}
}

func TestArraysAreNeverNull(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	for _, path := range readable(id) {
		if strings.HasSuffix(path, "/watch") || path == "/metrics" || path == "/docs" {
			continue
		}
		a := o.get(path)
		visit(into[any](a, a.StatusCode), "", func(at string, node map[string]any) {
			for _, name := range []string{"items", "steps", "allowed_actions", "errors", "waiting", "timers", "queue_problems"} {
				value, there := node[name]
				assert.False(t, there && value == nil, "%s %s/%s", path, at, name)
			}
		})
	}
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
