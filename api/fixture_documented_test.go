package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
)

// operations are the statuses that the OpenAPI document has for each operation, by method and path.
type operations map[string][]string

// documented returns a function that reads the OpenAPI document of a handler once.
func documented(t *testing.T, handler http.Handler) func() operations {
	t.Helper()
	return sync.OnceValue(func() operations {
		served := httptest.NewRecorder()
		handler.ServeHTTP(served, httptest.NewRequest(http.MethodGet, "http://localhost/openapi.json", http.NoBody))
		var document struct {
			Paths map[string]map[string]struct {
				Responses map[string]any `json:"responses"`
			} `json:"paths"`
		}
		assert.NoError(t, json.Unmarshal(served.Body.Bytes(), &document))
		found := make(operations)
		for path, methods := range document.Paths {
			for method, operation := range methods {
				found[strings.ToUpper(method)+" "+path] = slices.Sorted(maps.Keys(operation.Responses))
			}
		}
		return found
	})
}

// checkDocumented fails the test if the OpenAPI document does not have the status that a call of an operation was answered with.
// So every test of this package also tests the document.
func (o *orchestrator) checkDocumented(method string, response *http.Response) {
	o.t.Helper()
	status, path := response.StatusCode, response.Request.URL.Path
	ofTheServer := status >= 400 && response.Header.Get("Content-Type") != "application/problem+json" // of net/http, about its headers
	if ofTheServer || status == http.StatusMethodNotAllowed {
		return
	}
	statuses := o.documented()
	if method == http.MethodHead {
		method = http.MethodGet
	}
	router := chi.NewRouter()
	for operation := range statuses {
		if of, template, _ := strings.Cut(operation, " "); of == method {
			router.Method(of, template, http.NotFoundHandler())
		}
	}
	template := router.Find(chi.NewRouteContext(), method, path)
	if template == "" {
		return // no operation
	}
	assert.Contains(o.t, statuses[method+" "+template], strconv.Itoa(status), "statuses that the OpenAPI document has for %s %s", method, template)
}
