package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
)

// ask sends a request with the Host and headers of a browser.
func (o *orchestrator) ask(method, path, host string, headers ...header) int {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, http.NoBody)
	require.NoError(o.t, err)
	request.Host = host
	for _, h := range headers {
		request.Header.Set(h.name, h.value)
	}
	response, err := o.client.Do(request)
	require.NoError(o.t, err)
	require.NoError(o.t, response.Body.Close())
	return response.StatusCode
}

func TestWithoutAuthenticationTheHostMustBeThisMachine(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.LocalAddress = "127.0.0.1:8080" })
	for _, host := range []string{"localhost", "LOCALHOST:8080", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.9.9.9:80", "[::1]:8080", "[::1]"} {
		for _, path := range []string{"/healthz", "/v1/sagas", "/metrics"} {
			assert.Equal(t, http.StatusOK, o.ask(http.MethodGet, path, host), host)
		}
	}
	for _, host := range []string{
		"evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.1.7", "[::2]:80", "0.0.0.0", "localhost@evil.example", "127.0.0.1:80:80",
	} {
		for _, path := range []string{"/healthz", "/readyz", "/v1/sagas", "/metrics", "/openapi.json"} {
			status := o.ask(http.MethodGet, path, host)
			assert.True(t, status == http.StatusForbidden || status == http.StatusBadRequest, "%s: %d", host, status)
		}
	}
	o.get("/v1/sagas", header{"Origin", "http://evil.example"}) // the browser prevents other sites from reading
}

func TestAPageOfAnotherSiteCannotChangeAnything(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.LocalAddress = "127.0.0.1:8080" })
	const own = "127.0.0.1:8080"
	for _, h := range []header{
		{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Origin", "http://127.0.0.1:9999"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			assert.Equal(t, http.StatusForbidden, o.ask(method, "/v1/sagas", own, h), "%s %v", method, h)
		}
	}
	for _, h := range []header{{"Origin", "http://127.0.0.1:8080"}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"X-Nothing", "x"}} {
		assert.NotEqual(t, http.StatusForbidden, o.ask(http.MethodPost, "/v1/sagas", own, h), "%v", h)
	}
}

func TestInsecureAcceptsAnyHost(t *testing.T) {
	t.Parallel()
	o := start(t)
	assert.Equal(t, http.StatusOK, o.ask(http.MethodGet, "/v1/sagas", "evil.example"))
}
