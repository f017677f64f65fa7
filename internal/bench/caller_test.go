package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answering starts a server that answers every request alike. asked returns the requests so far.
func answering(t *testing.T, status int, body string) (url string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		mu.Lock()
		requests = append(requests, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+" "+string(content))
		mu.Unlock()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string { mu.Lock(); defer mu.Unlock(); return requests }
}

func calling(t *testing.T, scenario Scenario, key string, servers ...string) *caller {
	t.Helper()
	c, err := newCaller(servers, key, 4, scenario)
	require.NoError(t, err)
	t.Cleanup(c.close)
	return c
}

const completed = `{"id":"1","definition":"bench","version":1,"status":"completed","steps":[{"status":"failed"}]}`

func TestASagaIsOneRequest(t *testing.T) {
	t.Parallel()
	url, asked := answering(t, http.StatusCreated, completed)
	require.NoError(t, calling(t, Scenario{Steps: 3}, "secret", url).one(t.Context(), 0))
	require.Len(t, asked(), 1)
	assert.True(t, strings.HasPrefix(asked()[0], `POST /v1/sagas?wait=60s Bearer secret {`), asked()[0])
}

func TestAnUnexpectedEndIsAnError(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct {
		rule   string
		status int
		body   string
		rate   float64
		says   string
	}{
		{"compensated instead of completed", 201, strings.Replace(completed, "completed", "compensated", 1), 0, "compensated instead of completed"},
		{"completed instead of compensated", 201, completed, 1, "completed instead of compensated"},
		{"still running at the end of the wait", 201, strings.Replace(completed, "completed", "running", 1), 0, "running instead"},
		{"an existing saga", 200, completed, 0, "200 OK"},
		{"refused", 429, `{"code":"rate_limited"}`, 0, "rate_limited"},
		{"nonsense", 201, "<html>", 0, "unreadable state"},
	} {
		url, _ := answering(t, wrong.status, wrong.body)
		err := calling(t, Scenario{Steps: 3, FailRate: wrong.rate}, "", url).one(t.Context(), 0)
		assert.ErrorContains(t, err, wrong.says, wrong.rule)
	}
	c := calling(t, Scenario{Steps: 3}, "", "http://127.0.0.1:1")
	assert.ErrorContains(t, c.one(t.Context(), 0), "start a saga")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, c.one(ended, 0), context.Canceled)
}

func TestReplicasTakeTurns(t *testing.T) {
	t.Parallel()
	first, askedFirst := answering(t, http.StatusCreated, completed)
	second, askedSecond := answering(t, http.StatusCreated, completed)
	c := calling(t, Scenario{Steps: 3}, "", first, second)
	for n := range 5 {
		require.NoError(t, c.one(t.Context(), n))
	}
	assert.Len(t, askedFirst(), 3)
	assert.Len(t, askedSecond(), 2)
}
