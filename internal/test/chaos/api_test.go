package chaos

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
)

// api is one replica, as any HTTP client sees it.
type api struct {
	base   string
	client *http.Client
}

func newAPI(address string) *api {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	return &api{base: "http://" + address, client: &http.Client{Transport: transport, Timeout: 5 * time.Second}}
}

func (a *api) call(method, path, key string, body, into any) (int, error) {
	return env.Call(a.client, method, a.base+path, key, body, into)
}

// must calls and requires one of the statuses.
func (a *api) must(t *testing.T, method, path string, body, into any, statuses ...int) {
	t.Helper()
	got, err := a.call(method, path, "", body, into)
	require.NoError(t, err)
	require.Contains(t, statuses, got, "%s %s", method, path)
}
