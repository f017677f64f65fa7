package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// gated is a server with a limit of connections.
type gated struct {
	t       *testing.T
	address string
	idle    chan struct{} // receives when a connection has become idle
}

func newGated(t *testing.T, limit int, handler http.HandlerFunc) *gated {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := api.NewServer("", handler, nil)
	g := &gated{t: t, address: inner.Addr().String(), idle: make(chan struct{}, 1000)}
	follow := server.ConnState
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		if follow(conn, state); state == http.StateIdle {
			g.idle <- struct{}{}
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(api.LimitConnections(inner, limit)) }() // waited for below
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return g
}

func (g *gated) dial() net.Conn {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.address)
	require.NoError(g.t, err)
	g.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends a request over the connection and returns the status.
func ask(conn net.Conn) (int, error) {
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// gone waits until the server has closed the connection.
func (g *gated) gone(conn net.Conn) {
	g.t.Helper()
	require.NoError(g.t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := io.Copy(io.Discard, conn)
	var network net.Error
	assert.False(g.t, errors.As(err, &network) && network.Timeout(), "the connection is still held")
}

func TestAtTheLimitANewConnectionReplacesAnIdleOne(t *testing.T) {
	t.Parallel()
	g := newGated(t, 2, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	older, newer := g.dial(), g.dial()
	for _, conn := range []net.Conn{older, newer} {
		status, err := ask(conn)
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, status)
		<-g.idle
	}
	third := g.dial()
	status, err := ask(third)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status)
	g.gone(older)
	_, err = ask(newer)
	require.NoError(t, err, "only one connection was closed")
}

func TestAtTheLimitWorkIsNotInterrupted(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	entered := make(chan struct{}, 2)
	g := newGated(t, 2, func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		w.WriteHeader(http.StatusNoContent)
	})
	statuses := make(chan int, 3)
	var asking sync.WaitGroup
	request := func() {
		conn := g.dial()
		asking.Go(func() {
			status, err := ask(conn)
			assert.NoError(t, err)
			statuses <- status
		})
	}
	request()
	request()
	<-entered
	<-entered
	request() // waits, because both connections process a request
	close(release)
	asking.Wait()
	for range 3 {
		require.Equal(t, http.StatusNoContent, <-statuses)
	}
}

func TestSilentConnectionsDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	const limit = 50
	g := newGated(t, limit, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for range 3 * limit {
		conn := g.dial()
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nX-Slow: ")
		require.NoError(t, err)
	}
	for range limit {
		began := time.Now()
		status, err := ask(g.dial())
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, status)
		require.Less(t, time.Since(began), time.Second)
	}
}

// crowd is a number of clients of one orchestrator, each with its own connection.
type crowd struct {
	o       *orchestrator
	ctx     context.Context
	leave   context.CancelFunc
	client  *http.Client
	members sync.WaitGroup
	refused atomic.Int64
	held    atomic.Int64
}

func newCrowd(o *orchestrator) *crowd {
	c := &crowd{o: o, client: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 0, DisableKeepAlives: true}}}
	c.ctx, c.leave = context.WithCancel(context.Background())
	o.t.Cleanup(func() { c.leave(); c.members.Wait() })
	return c
}

// send sends requests that last until the crowd leaves.
func (c *crowd) send(members int, path string) {
	c.o.t.Helper()
	for range members {
		c.members.Go(func() {
			request, err := http.NewRequestWithContext(c.ctx, http.MethodGet, c.o.url+path, nil)
			if err != nil {
				return
			}
			if c.o.key != "" {
				request.Header.Set("Authorization", "Bearer "+c.o.key)
			}
			response, err := c.client.Do(request)
			if err != nil {
				return // the crowd has left, or the wait has ended
			}
			defer response.Body.Close()
			if response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") != "" {
				c.refused.Add(1)
				return
			}
			c.held.Add(1)
			_, _ = io.Copy(io.Discard, response.Body)
		})
	}
}

func (c *crowd) settled(members int64) func() bool {
	return func() bool { return c.held.Load()+c.refused.Load() >= members }
}

// probesAnswer sends probes and starts over new connections, and checks the latencies.
func (o *orchestrator) probesAnswer(body string) {
	o.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path, body string) time.Duration {
		began := time.Now()
		request, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, strings.NewReader(body))
		require.NoError(o.t, err)
		request.Header.Set("Content-Type", "application/json")
		if o.key != "" {
			request.Header.Set("Authorization", "Bearer "+o.key)
		}
		response, err := client.Do(request)
		require.NoError(o.t, err)
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		require.NoError(o.t, err)
		require.Less(o.t, response.StatusCode, 300, "%s %s: %s", method, path, content)
		return time.Since(began)
	}
	var starts []time.Duration
	for range 100 {
		starts = append(starts, ask(http.MethodPost, "/v1/sagas", body))
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/v1/sagas?limit=1", "/v1/queues", "/v1/stats"} {
		assert.Less(o.t, ask(http.MethodGet, path, ""), time.Second, path)
	}
	slices.Sort(starts)
	assert.Less(o.t, starts[98], time.Second, "p99 of a start")
}

func TestProbesAndStartsWorkBesideThousandsOfConnections(t *testing.T) {
	o := start(t)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	watchers, waiters := newCrowd(o), newCrowd(o)
	watchers.send(1000, "/v1/sagas/"+id+"/watch")
	require.Eventually(t, watchers.settled(1000), 30*time.Second, 5*time.Millisecond)
	assert.EqualValues(t, 400, watchers.held.Load(), "streams have a limit")
	assert.EqualValues(t, 600, watchers.refused.Load(), "the others are refused as busy")
	waiters.send(1100, "/v1/sagas/"+id+"?wait=60s")
	require.Eventually(t, func() bool { return waiters.refused.Load() >= 100 }, 30*time.Second, 5*time.Millisecond)
	address := strings.TrimPrefix(o.url, "http://")
	for i := range 1000 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		text := []string{"", "GET /v1/sagas HTTP/1.1\r\nX-Slow: ", "POST /v1/sagas HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"}[i%3]
		_, err = io.WriteString(conn, text)
		require.NoError(t, err)
	}
	o.probesAnswer(`{"definition":"order"}`)
	busy := o.get("/v1/sagas/"+id+"/watch").problem(503, "busy")
	assert.NotEmpty(t, busy.Detail)
	o.get("/v1/sagas/"+id+"?wait=1s").problem(503, "busy")
	o.post("/v1/sagas?wait=1s", `{"definition":"order","key":"not-begun"}`).problem(503, "busy")
	list := into[resource.List[struct{}]](o.get("/v1/sagas?key=not-begun"), http.StatusOK)
	assert.Empty(t, list.Items, "a refused start does not start a saga")

	watchers.leave()
	watchers.members.Wait()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+"/v1/sagas/"+id+"/watch", nil)
		require.NoError(t, err)
		response, err := o.client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, 10*time.Second, 10*time.Millisecond, "what is left is given to others")
}

func TestOneKeyDoesNotTakeAllStreams(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.Auth = api.AuthKeys })
	secrets := make([]string, 2)
	for i := range secrets {
		key, secret, faults := api.NewKey(resource.NewKey{Name: fmt.Sprint("key ", i), Role: string(record.Operator)}, time.Now())
		require.Empty(t, faults)
		require.NoError(t, o.store.CreateKey(t.Context(), key))
		secrets[i] = secret
	}
	key, secret, faults := api.NewKey(resource.NewKey{Name: "admin", Role: string(record.Admin)}, time.Now())
	require.Empty(t, faults)
	require.NoError(t, o.store.CreateKey(t.Context(), key))
	o.key = secret
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	o.key = secrets[0]
	greedy := newCrowd(o)
	greedy.send(250, "/v1/sagas/"+id+"/watch")
	require.Eventually(t, greedy.settled(250), 30*time.Second, 5*time.Millisecond)
	assert.EqualValues(t, 200, greedy.held.Load())
	o.key = secrets[1]
	other := newCrowd(o)
	other.send(1, "/v1/sagas/"+id+"/watch")
	require.Eventually(t, other.settled(1), 30*time.Second, 5*time.Millisecond)
	assert.EqualValues(t, 1, other.held.Load(), "another key has its own limit")
	greedy.leave()
	greedy.members.Wait()
}
