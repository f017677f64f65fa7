package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
)

func TestARequestOfAnotherHTTPServerHasTheSameDeadlines(t *testing.T) {
	t.Parallel()
	var at time.Time
	admission := api.NewAdmission(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { at = time.Now() }), false)
	admission.Begin()
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	admission.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	ours := api.NewServer("", nil, nil)
	assert.WithinDuration(t, at.Add(ours.ReadTimeout), w.read, 5*time.Second)
	assert.WithinDuration(t, at.Add(ours.WriteTimeout), w.write, 5*time.Second)
}

// admitted is an admission with one request that runs until finish is closed or its context ends.
func admitted(t *testing.T, want int) (admission *api.Admission, finish chan struct{}, requests *sync.WaitGroup) {
	t.Helper()
	begun, finish := make(chan struct{}), make(chan struct{})
	admission = api.NewAdmission(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			return
		}
		close(begun)
		select {
		case <-finish:
			w.WriteHeader(http.StatusAccepted)
		case <-r.Context().Done():
			w.WriteHeader(http.StatusGatewayTimeout)
		}
	}), false)
	admission.Begin()
	requests = &sync.WaitGroup{}
	requests.Go(func() { assert.Equal(t, want, admit(t, admission, "/slow").Code) })
	<-begun
	return admission, finish, requests
}

func admit(t *testing.T, handler http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return answer
}

func TestEndRefusesFurtherRequestsAndWaitsForRunningOnes(t *testing.T) {
	t.Parallel()
	admission, finish, requests := admitted(t, http.StatusAccepted)
	ended := make(chan struct{})
	requests.Go(func() { admission.End(t.Context()); close(ended) })
	require.Eventually(t, func() bool {
		answer := admit(t, admission, "/")
		return answer.Code == http.StatusServiceUnavailable && answer.Header().Get("Retry-After") == "1"
	}, 30*time.Second, time.Millisecond)
	select {
	case <-ended:
		t.Error("End has not waited for the request")
	default:
	}
	close(finish)
	requests.Wait()
}

func TestEndCancelsRequestsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	admission, _, requests := admitted(t, http.StatusGatewayTimeout)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	admission.End(ctx)
	requests.Wait()
}
