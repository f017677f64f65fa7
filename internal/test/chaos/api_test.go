package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, a.base+path, content)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if into == nil {
		_, err = io.Copy(io.Discard, response.Body)
		return response.StatusCode, err
	}
	return response.StatusCode, json.NewDecoder(response.Body).Decode(into)
}

// must calls and requires one of the statuses.
func (a *api) must(t *testing.T, method, path string, body, into any, statuses ...int) {
	t.Helper()
	got, err := a.call(method, path, "", body, into)
	require.NoError(t, err)
	require.Contains(t, statuses, got, "%s %s", method, path)
}
