package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// The page calls the API for the request of a browser. Its calls do not end what the browser's connection does.
func TestACallFromInsideLeavesThePhaseOfTheConnection(t *testing.T) {
	t.Parallel()
	outer := &connection{gate: &gate{left: wait.NewSignal()}, phase: phaseWorking}
	answers := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { connectionOf(r.Context()).enter(phaseSending) })
	asked := httptest.NewRequestWithContext(context.WithValue(t.Context(), connectionKey{}, outer), http.MethodGet, "/", nil)
	Inside(answers).ServeHTTP(httptest.NewRecorder(), asked)
	assert.Equal(t, phaseWorking, outer.phase)
	answers.ServeHTTP(httptest.NewRecorder(), asked)
	assert.Equal(t, phaseSending, outer.phase)
}
