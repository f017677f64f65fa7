package ui_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/server"
)

// site is a running server, seen by an HTTP client that keeps cookies and does not follow redirects.
type site struct {
	t      *testing.T
	origin string
	base   string
	client *http.Client
}

func serve(t *testing.T, change func(*server.Config)) *site {
	t.Helper()
	config := server.Config{Listen: "127.0.0.1:0", Auth: "none", Version: "test"}
	change(&config)
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	t.Cleanup(func() { stop(); running.Wait() })
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &site{
		t: t, origin: strings.TrimSuffix(s.URL(), config.BasePath), base: config.BasePath,
		client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// page is an answer of the site.
type page struct {
	*http.Response
	text string
}

func (s *site) send(method, path string, form url.Values, headers ...string) page {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.origin+path, strings.NewReader(form.Encode()))
	require.NoError(s.t, err)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	require.NoError(s.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return page{response, string(content)}
}

func (s *site) get(path string) page { s.t.Helper(); return s.send(http.MethodGet, path, nil) }

// api sends JSON to the API of a server without authentication.
func (s *site) api(method, path, body string) page {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.origin+s.base+path, strings.NewReader(body))
	require.NoError(s.t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	require.NoError(s.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.Less(s.t, response.StatusCode, 300, "%s", content)
	return page{response, string(content)}
}

const one = `{"steps":[{"name":"do","queue":"work","command":"do.it","compensation":"undo.it"}]}`

func (s *site) saga() resource.Saga {
	s.t.Helper()
	s.api(http.MethodPut, "/v1/definitions/order", one)
	s.api(http.MethodPut, "/v1/webhooks/pager", `{"url":"http://127.0.0.1:9/","events":["saga.stuck"]}`)
	var started resource.Saga
	require.NoError(s.t, json.Unmarshal([]byte(s.api(http.MethodPost, "/v1/sagas", `{"definition":"order","key":"k-1"}`).text), &started))
	return started
}

var (
	inlineScript = regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>\s*[^<\s]|\son[a-z]+\s*=|\sstyle\s*=|<style|javascript:|\shx-on`)
	addresses    = regexp.MustCompile(`\s(?:href|src|action|formaction|data-live)="([^"]*)"`)
)

func viewsOf(id string) []string {
	return []string{
		"/", "/ui", "/ui/sagas", "/ui/sagas/" + id, "/ui/sagas/" + id + "/act/compensate", "/ui/definitions", "/ui/definitions/order",
		"/ui/definitions/order/start", "/ui/register?name=order", "/ui/queues", "/ui/queues/work", "/ui/dead-letters", "/ui/bulk",
		"/ui/bulk/new?definition=order", "/ui/keys", "/ui/webhooks", "/ui/webhooks/pager", "/ui/audit", "/ui/help",
	}
}

// Nothing is inline, so the policy needs no exception, and every address stays below the base path.
func TestEveryViewKeepsToThePolicyAndTheBasePath(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *server.Config) { c.BasePath = "/a/saga/" })
	s.base = "/a/saga"
	s.origin = strings.TrimSuffix(s.origin, "/a/saga")
	started := s.saga()
	for _, path := range viewsOf(started.ID) {
		got := s.get(s.base + path)
		require.Equal(t, http.StatusOK, got.StatusCode, path)
		policy := got.Header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'")
		assert.NotContains(t, policy, "unsafe")
		assert.Empty(t, inlineScript.FindAllString(got.text, -1), path)
		for _, found := range addresses.FindAllStringSubmatch(got.text, -1) {
			address := found[1]
			inside := strings.HasPrefix(address, s.base+"/") || strings.HasPrefix(address, "#") || strings.HasPrefix(address, "?")
			assert.True(t, inside, "%s: %s leaves the base path", path, address)
		}
	}
	assert.Equal(t, http.StatusOK, s.get("/ui/sagas").StatusCode, "a proxy may strip the base path")
	assert.Contains(t, s.get("/ui/sagas").text, `href="/a/saga/ui/sagas`)
	assert.Equal(t, "/a/saga/", s.get("/a/saga").Header.Get("Location"))
	assert.Equal(t, "/a/saga/ui/sagas", s.get("/a/saga/ui//sagas").Header.Get("Location"), "a path is cleaned below the base path")
	made := s.api(http.MethodPost, "/v1/sagas", `{"definition":"order"}`)
	assert.True(t, strings.HasPrefix(made.Header.Get("Location"), "/a/saga/v1/sagas/"), made.Header.Get("Location"))
	assert.Contains(t, s.get("/a/saga/openapi.json").text, `"url":"/a/saga/"`)
	assert.Equal(t, http.StatusOK, s.get("/a/saga/healthz").StatusCode)
	assert.Equal(t, http.StatusNotFound, s.get("/a/saga2").StatusCode)
}

func TestAChangeFromAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	started := s.saga()
	path := "/ui/sagas/" + started.ID + "/act/compensate"
	form := url.Values{"reason": {"a test"}}
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		got := s.send(http.MethodPost, path, form, headers...)
		assert.Equal(t, http.StatusForbidden, got.StatusCode, "%v", headers)
		assert.Contains(t, got.text, "another site")
	}
	rebound := s.send(http.MethodGet, "/ui/sagas", nil, "X-Test", "1")
	assert.Equal(t, http.StatusOK, rebound.StatusCode)
	got := s.send(http.MethodPost, path, form, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.text)
	var now resource.Saga
	require.NoError(t, json.Unmarshal([]byte(s.get("/v1/sagas/"+started.ID).text), &now))
	assert.Contains(t, []string{"compensating", "compensated"}, string(now.Status), "and it is done once")
}

// A host name that a foreign DNS server points to this machine reaches nothing through the page, either.
func TestAForeignHostIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	for _, path := range []string{"GET /ui/sagas", "GET /ui/help", "POST /ui/demo", "POST /ui/sign-out"} {
		method, path, _ := strings.Cut(path, " ")
		request, err := http.NewRequestWithContext(t.Context(), method, s.origin+path, nil)
		require.NoError(t, err)
		request.Host = "rebound.example"
		response, err := s.client.Do(request)
		require.NoError(t, err)
		assert.Equal(t, http.StatusForbidden, response.StatusCode, path)
		require.NoError(t, response.Body.Close())
	}
}

// What an address says about a form is one of the page's own sentences.
func TestANoticeIsNeverTheTextOfAnAddress(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	for _, injected := range []string{"Call 555-0100 to repair this", "acted-call 555-0100", "acted-"} {
		got := s.get("/ui/sagas?notice=" + url.QueryEscape(injected))
		assert.NotContains(t, got.text, "555-0100")
		assert.NotContains(t, got.text, `class="notice"`)
	}
	assert.Contains(t, s.get("/ui/sagas?notice=acted-retry").text, "done. The history has it")
}

func TestAProblemIsShownWithItsFaults(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	s.saga()
	got := s.get("/ui/sagas?version=x&label=nonsense")
	assert.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	assert.Contains(t, got.text, "<code>version</code>")
	assert.Contains(t, s.get("/ui/sagas/01JD0000000000000000000000").text, "A saga with this id does not exist")
	got = s.send(http.MethodPost, "/ui/register", url.Values{"name": {"bad"}, "text": {`{"steps":[{"name":"A B","command":""}]}`}})
	assert.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	assert.Contains(t, got.text, "<code>/steps/0/name</code>")
	assert.Contains(t, got.text, "A B", "the text is still there to be repaired")
	assert.Equal(t, http.StatusNotFound, s.get("/ui/nowhere").StatusCode)
}

// A viewer of the demo breaks a worker and repairs it.
func TestTheDemoPanelBreaksAndRepairs(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *server.Config) { c.Demo = true })
	on := regexp.MustCompile(`name="fault" value="payments-fail">\s*<input type="hidden" name="on" value="(true|false)"`)
	offered := func() string {
		t.Helper()
		found := on.FindStringSubmatch(s.get("/ui/queues").text)
		require.NotNil(t, found)
		return found[1]
	}
	require.Equal(t, "true", offered(), "it works, so it can be broken")
	got := s.send(http.MethodPost, "/ui/demo", url.Values{"fault": {"payments-fail"}, "on": {"true"}, "back": {"/ui/queues"}})
	assert.Equal(t, "/ui/queues", got.Header.Get("Location"))
	require.Equal(t, "false", offered())
	s.send(http.MethodPost, "/ui/demo", url.Values{"fault": {"payments-fail"}, "on": {"false"}})
	require.Equal(t, "true", offered())
	assert.Equal(t, http.StatusUnprocessableEntity, s.send(http.MethodPost, "/ui/demo", url.Values{"fault": {"x"}, "on": {"true"}}).StatusCode)
	plain := serve(t, func(*server.Config) {})
	assert.Equal(t, http.StatusNotFound, plain.send(http.MethodPost, "/ui/demo", url.Values{"fault": {"payments-fail"}}).StatusCode)
	assert.NotContains(t, plain.get("/").text, "Break a worker")
}
