package server_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func embedded(t *testing.T, config server.Config) *server.Server {
	t.Helper()
	s, _ := serving(t, config)
	return s
}

// serving runs a server until end is called or the test ends.
func serving(t *testing.T, config server.Config) (s *server.Server, end func()) {
	t.Helper()
	config.Listen, config.Auth = "127.0.0.1:0", cmp.Or(config.Auth, "none")
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { require.NoError(t, s.Run(ctx)) })
	end = func() { cancel(); running.Wait() }
	t.Cleanup(func() { end(); http.DefaultClient.CloseIdleConnections() })
	return s, end
}

func request(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	return answered(t, r)
}

func answered(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(content)
}

func TestAnOrchestratorIsNotReadyWhileAWorkerQueueIsTooDeep(t *testing.T) {
	t.Parallel()
	s := embedded(t, server.Config{MaxQueueDepth: 1})
	status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/pay", `{"steps":[{"name":"charge","command":"bank.charge"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	for range 2 {
		status, answer = request(t, http.MethodGet, s.URL()+"/readyz", "")
		require.Equal(t, http.StatusOK, status, answer)
		status, answer = request(t, http.MethodPost, s.URL()+"/v1/sagas", `{"definition":"pay"}`)
		require.Equal(t, http.StatusCreated, status, answer)
	}
	require.Eventually(t, func() bool {
		status, answer = request(t, http.MethodGet, s.URL()+"/readyz", "")
		return status == http.StatusServiceUnavailable && strings.Contains(answer, "more than 1")
	}, 10*time.Second, 10*time.Millisecond, answer)
}

func TestSimulatedWorkersCompleteAndCompensateSagas(t *testing.T) {
	t.Parallel()
	s := embedded(t, server.Config{SimulateWorkers: true, File: t.TempDir() + "/state.db"})
	status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/pay",
		`{"steps":[{"name":"reserve","command":"shop.reserve","compensation":"shop.release"},{"name":"charge","command":"bank.charge"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	status, answer = request(t, http.MethodPost, s.URL()+"/v1/sagas?wait=10s", `{"definition":"pay"}`)
	require.Equal(t, http.StatusCreated, status, answer)
	require.Contains(t, answer, `"status":"completed"`)
	id := answer[strings.Index(answer, `"id":"`)+6:][:26]
	status, answer = request(t, http.MethodGet, s.URL()+"/v1/sagas/"+id+"?wait=1s", "")
	require.Equal(t, http.StatusOK, status, answer)
	status, answer = request(t, http.MethodPost, s.URL()+"/v1/sagas?wait=10s",
		`{"definition":"pay","data":{"simulate":{"charge":"card_declined"}}}`)
	require.Equal(t, http.StatusCreated, status, answer)
	require.Contains(t, answer, `"status":"compensated"`)
	status, answer = request(t, http.MethodGet, s.URL()+"/readyz", "")
	require.Equal(t, http.StatusOK, status, answer)

	_, answer = request(t, http.MethodGet, s.URL()+"/metrics", "")
	require.Contains(t, answer, "saga_published_batch_commands_sum 5", "two sagas of two steps, and a compensation")
	require.Contains(t, answer, `saga_messages_received_total{queue="replies"} 5`)
	require.Regexp(t, `saga_committed_batch_events_sum [7-9]`, answer, "starts, replies, and perhaps timers")
}

func TestTheDemoStartsSagas(t *testing.T) {
	t.Parallel()
	s := embedded(t, server.Config{SimulateWorkers: true, Demo: true})
	require.Eventually(t, func() bool {
		_, answer := request(t, http.MethodGet, s.URL()+"/v1/sagas", "")
		return strings.Count(answer, `"definition":"order"`) >= 2 && strings.Contains(answer, `"status":"completed"`)
	}, 10*time.Second, 20*time.Millisecond)
}

func TestTheDemoKeepsADefinitionOfTheUser(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/state.db"
	first, end := serving(t, server.Config{SimulateWorkers: true, File: file})
	status, answer := request(t, http.MethodPut, first.URL()+"/v1/definitions/order", `{"steps":[{"name":"mine","command":"my.step"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	end()
	second := embedded(t, server.Config{SimulateWorkers: true, Demo: true, File: file})
	_, answer = request(t, http.MethodGet, second.URL()+"/v1/definitions/order", "")
	require.Contains(t, answer, `"version":1`)
	require.Contains(t, answer, `"mine"`)
}

func TestWithoutAuthenticationAnotherHostIsRefusedUnlessInsecure(t *testing.T) {
	t.Parallel()
	for insecure, wanted := range map[bool]int{false: http.StatusForbidden, true: http.StatusOK} {
		s := embedded(t, server.Config{Insecure: insecure})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/v1/sagas", nil)
		require.NoError(t, err)
		r.Host = "evil.example"
		status, _ := answered(t, r)
		require.Equal(t, wanted, status)
	}
}

func TestAnIncompleteConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	_, err := server.Open(t.Context(), server.Config{DatabaseURL: "postgres://localhost/x"})
	require.ErrorIs(t, err, server.ErrHalfConfigured)
	_, err = server.Open(t.Context(), server.Config{Auth: "none", Listen: "0.0.0.0:0"})
	require.Error(t, err, "no authentication on a public address")
	for _, path := range []string{"/ui", "/v1/saga", "/metrics/", "/docs"} {
		_, err = server.Open(t.Context(), server.Config{Listen: "127.0.0.1:0", Auth: "none", BasePath: path})
		require.ErrorContains(t, err, "choose another", path)
	}
}

func TestTheFirstKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	s := embedded(t, server.Config{Auth: "keys"})
	secret, err := s.FirstKey(t.Context(), "dev")
	require.NoError(t, err)
	keys, err := client.New(client.Config{Server: s.URL(), Key: secret}).Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys.Items, 1)
	require.Equal(t, "admin", keys.Items[0].Role)
	secret, err = s.FirstKey(t.Context(), "dev")
	require.NoError(t, err)
	require.Empty(t, secret, "there is a key")
}

func TestAServerRunsOnce(t *testing.T) {
	t.Parallel()
	s, end := serving(t, server.Config{})
	require.Eventually(t, func() bool {
		status, _ := request(t, http.MethodGet, s.URL()+"/healthz", "")
		return status == http.StatusOK
	}, 20*time.Second, 5*time.Millisecond)
	require.EqualError(t, s.Run(t.Context()), "this server has already been run: open a new one", "while it runs")
	status, _ := request(t, http.MethodGet, s.URL()+"/healthz", "")
	require.Equal(t, http.StatusOK, status, "the first run goes on")
	end()
	require.EqualError(t, s.Run(t.Context()), "this server has already been run: open a new one", "after it has ended")
}
