package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// events reads a stream to its end and calls heard with each event.
func (o *orchestrator) events(id, lastEventID string, heard func(event, id string, shown resource.Saga), comment func(string)) {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.url+"/v1/sagas/"+id+"/watch", nil)
	require.NoError(o.t, err)
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := o.client.Do(request)
	require.NoError(o.t, err)
	defer response.Body.Close()
	require.Equal(o.t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	var event, eventID string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "":
			comment(value)
		case "event":
			event = value
		case "id":
			eventID = value
		case "data":
			var shown resource.Saga
			require.NoError(o.t, json.Unmarshal([]byte(value), &shown))
			heard(event, eventID, shown)
		}
	}
	require.NoError(o.t, lines.Err())
}

func TestAWatchShowsEveryStateUntilTheEnd(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	var seen []saga.Status
	o.events(started.ID, "", func(event, id string, shown resource.Saga) {
		assert.Equal(t, "saga", event)
		assert.Equal(t, etagNumber(shown.Revision), id)
		seen = append(seen, shown.Status)
		switch shown.Status {
		case saga.Running:
			o.post("/v1/sagas/"+started.ID+"/pause", "").saga(http.StatusOK)
		case saga.Paused:
			o.post("/v1/sagas/"+started.ID+"/abandon", `{"reason":"enough"}`).saga(http.StatusOK)
		}
	}, func(string) {})
	assert.Equal(t, saga.Running, seen[0], "the present state comes first")
	assert.Equal(t, saga.Abandoned, seen[len(seen)-1], "the stream ends with the saga")
}

func TestAWatchContinuesAfterTheLastEvent(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	o.events(started.ID, etagNumber(started.Revision), func(_, _ string, shown resource.Saga) {
		assert.NotEqual(t, started.Revision, shown.Revision, "a known revision is not sent again")
	}, func(text string) {
		if text == "watching" {
			o.post("/v1/sagas/"+started.ID+"/abandon", `{"reason":"enough"}`).saga(http.StatusOK)
		}
	})
	done := o.get("/v1/sagas/" + started.ID).saga(http.StatusOK)
	known := o.get("/v1/sagas/"+started.ID+"/watch", header{"Last-Event-ID", etagNumber(done.Revision)})
	assert.Equal(t, http.StatusNoContent, known.StatusCode, "the saga has ended")
	for _, foreign := range []string{"x", "-1", "99999999999999999999"} {
		o.get("/v1/sagas/"+started.ID+"/watch", header{"Last-Event-ID", foreign}).problem(422, "invalid_parameter")
	}
}

func TestAQuietWatchHasCommentsAndEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	o := start(t, func(c *api.Config) { c.KeepAlive, c.Stopping = 5*time.Millisecond, stopping })
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	alive := 0
	o.events(started.ID, "", func(string, string, resource.Saga) {}, func(string) {
		if alive++; alive == 5 {
			close(stopping)
		}
	})
	assert.GreaterOrEqual(t, alive, 5)
	now := o.get("/v1/sagas/" + started.ID + "?wait=30s&since=" + etagNumber(started.Revision)).saga(http.StatusOK)
	assert.Equal(t, started.Revision, now.Revision, "a wait ends with the process")
}

// The deadlines of the server are so short that a wait needs an extension.
func TestWaitingOutlastsTheServersDeadlines(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	impatient := httptest.NewUnstartedServer(api.New(api.Config{
		Engine: o.engine, Reads: o.store, Bulks: o.store, Broker: o.broker, Auth: api.AuthNone, KeepAlive: 50 * time.Millisecond,
	}))
	impatient.Config.ReadTimeout, impatient.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	impatient.Start()
	defer impatient.Close()
	patient := *o
	o.url = impatient.URL

	began := time.Now()
	now := o.get("/v1/sagas/" + started.ID + "?wait=400ms&since=" + etagNumber(started.Revision)).saga(http.StatusOK)
	assert.Equal(t, started.Revision, now.Revision)
	assert.GreaterOrEqual(t, time.Since(began), 400*time.Millisecond)

	began = time.Now()
	ended := false
	o.events(started.ID, "", func(string, string, resource.Saga) {}, func(string) {
		if !ended && time.Since(began) > 400*time.Millisecond {
			ended = true
			patient.post("/v1/sagas/"+started.ID+"/abandon", `{"reason":"enough"}`).saga(http.StatusOK)
		}
	})
	assert.True(t, ended, "the stream continued after the deadlines")
}

func TestAWatcherThatStopsReadingIsDisconnected(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.StreamAllowance = 50 * time.Millisecond })
	o.define("order", reserve)
	started := o.begin(`{"definition":"order","data":{"much":["` + strings.Repeat(strings.Repeat("x", 60<<10)+`","`, 3) + `"]}}`)
	conn, err := net.Dial("tcp", strings.TrimPrefix(o.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
	_, err = io.WriteString(conn, "GET /v1/sagas/"+started.ID+"/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	// The client does not read. When the buffers are full, a write exceeds its deadline.
	requests := `saga_http_requests_total{method="GET",route="/v1/sagas/{id}/watch",status="200"} 1`
	require.Eventually(t, func() bool {
		o.post("/v1/sagas/"+started.ID+"/pause", "").saga(http.StatusOK)
		o.post("/v1/sagas/"+started.ID+"/resume", "").saga(http.StatusOK)
		return strings.Contains(string(o.get("/metrics").content), requests)
	}, 20*time.Second, time.Millisecond, "its stream has ended")
}

func TestAProxyDoesNotBufferEvents(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.worker(succeed)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	a := o.get("/v1/sagas/" + id + "/watch")
	assert.Equal(t, "no", a.Header.Get("X-Accel-Buffering"))
	assert.Equal(t, "no-store", a.Header.Get("Cache-Control"))
}

func TestStreamsAndWaitsEndWithTheirKey(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.Auth = api.AuthKeys })
	created := func(role record.Role, expires string) string {
		key, secret, faults := api.NewKey(resource.NewKey{Name: string(role), Role: string(role), ExpiresIn: expires}, time.Now())
		require.Empty(t, faults)
		require.NoError(t, o.store.CreateKey(t.Context(), key))
		return secret
	}
	o.key = created(record.Admin, "")
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	bearer := header{"Authorization", "Bearer " + created(record.Viewer, "3s")}
	limited, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var calls sync.WaitGroup
	calls.Go(func() {
		assert.Equal(t, http.StatusOK, o.sendWithin(limited, http.MethodGet, "/v1/sagas/"+id+"/watch", "", bearer).StatusCode, "the stream begins, and ends")
	})
	calls.Go(func() {
		ended := o.get("/v1/sagas/"+id+"?wait=50s", bearer)
		ended.problem(http.StatusUnauthorized, resource.CodeUnauthorized)
		assert.Contains(t, ended.Header.Get("WWW-Authenticate"), "Bearer")
	})
	operator := header{"Authorization", "Bearer " + created(record.Operator, "3s")}
	calls.Go(func() { // the saga is there, so its caller must learn of it
		assert.Equal(t, http.StatusCreated, o.send(http.MethodPost, "/v1/sagas?wait=50s", `{"definition":"order"}`, operator).StatusCode)
	})
	calls.Wait()
}
