package ui_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/ui"
)

// The API ends an answer that has begun and cannot go on by a panic, which net/http turns into a closed connection. The page asks
// the API from goroutines of its own, where a panic would end the process.
func TestAnAnswerThatTheAPIEndsIsAnErrorOfThePage(t *testing.T) {
	t.Parallel()
	ended := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		panic(http.ErrAbortHandler)
	})
	site := httptest.NewServer(ui.New(ui.Config{API: ended}))
	defer site.Close()
	for _, path := range []string{"/", "/ui/sagas", "/ui/sagas/01JD0000000000000000000000", "/ui/queues", "/ui/bulk", "/ui/dead-letters", "/ui/stuck"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL+path, nil)
		require.NoError(t, err)
		response, err := site.Client().Do(request)
		require.NoError(t, err, path)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err, path)
		require.NoError(t, response.Body.Close())
		assert.NotEqual(t, http.StatusOK, response.StatusCode, path)
	}
}
