package server_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/server"
)

// handled runs a server without a listener behind an HTTP server of the test.
func handled(t *testing.T, config server.Config) (s *server.Server, base string, end func()) {
	t.Helper()
	config.NoListener, config.Auth = true, "none"
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle(s.URL()+"/", s.Handler())
	mux.HandleFunc("/own", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the program's own page")) })
	own := httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	end = func() { cancel(); running.Wait() }
	t.Cleanup(func() { end(); own.Close(); http.DefaultClient.CloseIdleConnections() })
	return s, own.URL + s.URL(), end
}

const payDefinition = `{"steps":[{"name":"charge","command":"bank.charge"}]}`

func TestAHandlerServesPageAndAPIOnAMuxOfTheProgram(t *testing.T) {
	t.Parallel()
	s, base, _ := handled(t, server.Config{BasePath: "/saga/", SimulateWorkers: true})
	assert.Equal(t, "/saga", s.URL(), "the path below the program's own address")
	status, answer := request(t, http.MethodPut, base+"/v1/definitions/pay", payDefinition)
	require.Equal(t, http.StatusCreated, status, answer)
	status, answer = request(t, http.MethodPost, base+"/v1/sagas?wait=10s", `{"definition":"pay"}`)
	require.Equal(t, http.StatusCreated, status, answer)
	require.Contains(t, answer, `"status":"completed"`)
	status, answer = request(t, http.MethodGet, base+"/", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, answer, `href="/saga/`)
	status, answer = request(t, http.MethodGet, strings.TrimSuffix(base, "/saga")+"/own", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "the program's own page", answer)
}

func TestAHandlerAnswersOnlyWhileTheServerRuns(t *testing.T) {
	t.Parallel()
	s, err := server.Open(t.Context(), server.Config{NoListener: true, Auth: "none"})
	require.NoError(t, err)
	own := httptest.NewServer(s.Handler())
	t.Cleanup(func() { own.Close(); http.DefaultClient.CloseIdleConnections() })
	var early sync.WaitGroup
	early.Go(func() { // begins before Run, or with it
		status, answer := request(t, http.MethodPut, own.URL+"/v1/definitions/pay", payDefinition)
		assert.Equal(t, http.StatusCreated, status, answer)
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	early.Wait()
	cancel()
	running.Wait()
	status, answer := request(t, http.MethodGet, own.URL+"/v1/sagas", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, answer, `"code":"unavailable"`)
}

func TestARequestBeforeRunIsRefusedAfterAWhile(t *testing.T) {
	t.Parallel()
	s, err := server.Open(t.Context(), server.Config{NoListener: true, Auth: "none"})
	require.NoError(t, err)
	own := httptest.NewServer(s.Handler())
	t.Cleanup(func() { own.Close(); http.DefaultClient.CloseIdleConnections() })
	status, answer := request(t, http.MethodGet, own.URL+"/v1/sagas", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, answer, "not running")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, s.Run(ctx), "closes what Open has opened")
}

func TestStreamsAndWaitsEndWithTheServer(t *testing.T) {
	t.Parallel()
	_, base, end := handled(t, server.Config{})
	status, answer := request(t, http.MethodPut, base+"/v1/definitions/pay", payDefinition)
	require.Equal(t, http.StatusCreated, status, answer)
	_, answer = request(t, http.MethodPost, base+"/v1/sagas", `{"definition":"pay"}`)
	id := answer[strings.Index(answer, `"id":"`)+6:][:26]

	watching, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/sagas/"+id+"/watch", nil)
	require.NoError(t, err)
	stream, err := http.DefaultClient.Do(watching)
	require.NoError(t, err)
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	require.True(t, lines.Scan(), "the stream has begun")

	var waiting sync.WaitGroup
	waiting.Go(func() {
		status, answer := request(t, http.MethodGet, base+"/v1/sagas/"+id+"?wait=60s&since=1000", "")
		assert.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, status, answer)
	})
	began := time.Now()
	end()
	waiting.Wait()
	for lines.Scan() { //nolint:revive // reads the stream to its end
	}
	require.NoError(t, lines.Err(), "the stream ends, it is not cut")
	require.Less(t, time.Since(began), 30*time.Second, "the wait was for a minute")
}

// The handler cannot see where the program's server listens, so it looks at where each request has arrived.
func TestWithoutAuthenticationAHandlerAnswersOnlyThisMachine(t *testing.T) {
	t.Parallel()
	arrivals := []struct {
		at   net.Addr
		host string
		want int
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, "localhost", http.StatusOK},
		{&net.TCPAddr{IP: net.IPv6loopback}, "[::1]:9000", http.StatusOK},
		{&net.UnixAddr{Name: "/run/own.sock"}, "localhost", http.StatusOK},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, "evil.example", http.StatusForbidden},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}, "localhost", http.StatusForbidden},
		{nil, "localhost", http.StatusForbidden},
	}
	for _, insecure := range []bool{false, true} {
		s, err := server.Open(t.Context(), server.Config{NoListener: true, Auth: "none", Insecure: insecure})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { assert.NoError(t, s.Run(ctx)) })
		for _, arrival := range arrivals {
			for _, path := range []string{"/v1/sagas", "/"} {
				asked := httptest.NewRequestWithContext(
					context.WithValue(t.Context(), http.LocalAddrContextKey, arrival.at), http.MethodGet, path, nil)
				asked.Host = arrival.host
				answer := httptest.NewRecorder()
				s.Handler().ServeHTTP(answer, asked)
				want := arrival.want
				if insecure {
					want = http.StatusOK
				}
				assert.Equal(t, want, answer.Code, "%v, Host %s, path %s, insecure %t", arrival.at, arrival.host, path, insecure)
			}
		}
		cancel()
		running.Wait()
	}
}

func TestWhatContradictsNoListenerIsRefused(t *testing.T) {
	t.Parallel()
	_, err := server.Open(t.Context(), server.Config{NoListener: true, Listen: "127.0.0.1:0"})
	require.ErrorContains(t, err, "listen address")
	_, err = server.Open(t.Context(), server.Config{NoListener: true, TLSCert: "cert.pem", TLSKey: "key.pem"})
	require.ErrorContains(t, err, "TLS: must be empty with NoListener")
	require.NoError(t, server.Config{NoListener: true, Auth: "keys"}.Validate())
}
