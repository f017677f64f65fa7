package client_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

// answering returns a client of a server that uses the next handler for each request, and repeats the last one.
func answering(t *testing.T, config client.Config, next ...http.HandlerFunc) (*client.Client, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := min(int(requests.Add(1)), len(next))
		next[number-1](w, r)
	}))
	t.Cleanup(served.Close)
	config.Server, config.HTTP, config.Backoff = served.URL, served.Client(), time.Millisecond
	return client.New(config), &requests
}

// replies answers with a status and a text.
func replies(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

// cut sends a text and closes the connection before the end of the answer.
func cut(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(text))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

const (
	unavailable = `{"code":"unavailable","status":503}`
	running     = "event: saga\nid: 4\ndata: {\"revision\":4,\"status\":\"running\"}\n\n"
	completed   = "event: saga\nid: 5\ndata: {\"revision\":5,\"status\":\"completed\"}\n\n"
)

// watched watches saga 1 until its end or an error.
func watched(t *testing.T, c *client.Client) (revisions []int64, err error) {
	t.Helper()
	for s, failure := range c.Watch(t.Context(), "1") {
		if failure != nil {
			return revisions, failure
		}
		revisions = append(revisions, s.Revision)
	}
	return revisions, nil
}

func TestAWatchSurvivesBrokenConnections(t *testing.T) {
	t.Parallel()
	c, requests := answering(t, client.Config{},
		cut(": watching\n\n"), // before the first event
		cut(running), replies(503, unavailable), replies(503, unavailable), cut(": watching\n\n"),
		replies(503, unavailable), replies(503, unavailable), cut("event: saga\nid: 5\ndata: {\"revi"), replies(200, completed))
	revisions, err := watched(t, c)
	require.NoError(t, err)
	assert.Equal(t, []int64{4, 5}, revisions)
	assert.EqualValues(t, 9, requests.Load())
}

func TestAWatchEndsAfterAMissedEnd(t *testing.T) {
	t.Parallel()
	c, _ := answering(t, client.Config{}, cut(running), replies(http.StatusNoContent, ""))
	revisions, err := watched(t, c)
	require.NoError(t, err)
	assert.Equal(t, []int64{4}, revisions)
}

func TestAWatchGivesUp(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]struct {
		next     []http.HandlerFunc
		requests int64
		message  string
	}{
		"at once, when the saga does not exist":  {[]http.HandlerFunc{replies(404, `{"code":"saga_not_found"}`)}, 1, "saga_not_found"},
		"at once, when an event is not JSON":     {[]http.HandlerFunc{replies(200, "data: {\n\n")}, 1, "decode an event"},
		"when the orchestrator does not recover": {[]http.HandlerFunc{cut(running), replies(503, unavailable)}, 4, "unavailable"},
	} {
		c, requests := answering(t, client.Config{}, given.next...)
		_, err := watched(t, c)
		require.ErrorContains(t, err, given.message, name)
		assert.Equal(t, given.requests, requests.Load(), name)
	}
}

func TestAWatchOutlastsARestartBehindAProxy(t *testing.T) {
	t.Parallel()
	away := replies(http.StatusBadGateway, "<html>")
	c, requests := answering(t, client.Config{Reconnect: time.Minute}, cut(running), away, away, away, away, replies(200, completed))
	revisions, err := watched(t, c)
	require.NoError(t, err)
	assert.Equal(t, []int64{4, 5}, revisions)
	assert.EqualValues(t, 6, requests.Load())

	c, requests = answering(t, client.Config{Reconnect: time.Minute}, replies(503, unavailable))
	_, err = watched(t, c)
	require.ErrorContains(t, err, "unavailable")
	assert.EqualValues(t, 3, requests.Load(), "a watch that was never connected gives up soon")

	c, _ = answering(t, client.Config{Reconnect: 10 * time.Millisecond}, cut(running), replies(503, unavailable))
	_, err = watched(t, c)
	require.ErrorContains(t, err, "unavailable", "it gives up in the end")
}

func TestAWatchEndsWhenTheLoopBreaks(t *testing.T) {
	t.Parallel()
	c, requests := answering(t, client.Config{}, replies(200, running+completed))
	for _, err := range c.Watch(t.Context(), "1") {
		require.NoError(t, err)
		break
	}
	assert.EqualValues(t, 1, requests.Load())
}

func TestAnsweredReceivesTheBytesUnchanged(t *testing.T) {
	t.Parallel()
	const answer = `{ "revision":4, "id":"1", "of_a_later_version":true }`
	var seen []string
	config := client.Config{Answered: func(content []byte) { seen = append(seen, string(content)) }}
	c, _ := answering(t, config, replies(200, answer), replies(404, `{"code":"saga_not_found"}`), replies(200, completed))
	_, err := c.Saga(t.Context(), "1")
	require.NoError(t, err)
	_, err = c.Saga(t.Context(), "1")
	require.Error(t, err)
	_, err = watched(t, c)
	require.NoError(t, err)
	assert.Equal(t, []string{answer, `{"revision":5,"status":"completed"}`}, seen)
}

func TestNotReadyIsNotAnError(t *testing.T) {
	t.Parallel()
	c, requests := answering(t, client.Config{}, replies(503, `{"status":"unavailable","checks":{"broker":"unreachable"}}`))
	ready, err := c.Ready(t.Context())
	require.NoError(t, err)
	assert.Equal(t, resource.Health{Status: "unavailable", Checks: map[string]string{"broker": "unreachable"}}, ready)
	assert.EqualValues(t, 1, requests.Load(), "an answer is not retried")

	c, _ = answering(t, client.Config{}, replies(200, `{"status":"ok","version":"1.2.3"}`))
	health, err := c.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "1.2.3", health.Version)
}
