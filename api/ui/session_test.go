package ui_test

import (
	"context"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// withKeys serves an orchestrator that asks for keys, and returns a key of each role.
func withKeys(t *testing.T, change func(*server.Config)) (s *site, keys map[record.Role]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "state.db")
	kept, err := memory.Open(memory.Config{File: file})
	require.NoError(t, err)
	keys = make(map[record.Role]string)
	for _, role := range []record.Role{record.Viewer, record.Operator, record.Admin} {
		key, secret, faults := api.NewKey(resource.NewKey{Name: "the " + string(role), Role: string(role)}, time.Now())
		require.Empty(t, faults)
		require.NoError(t, kept.CreateKey(context.Background(), key))
		keys[role] = secret
	}
	require.NoError(t, kept.Close())
	return serve(t, func(c *server.Config) {
		c.Auth, c.File = "keys", file
		change(c)
	}), keys
}

func (s *site) signIn(key string) page {
	s.t.Helper()
	return s.send(http.MethodPost, "/ui/sign-in", url.Values{"key": {key}, "to": {"/ui/sagas"}})
}

func TestThePageAsksForAKey(t *testing.T) {
	t.Parallel()
	s, keys := withKeys(t, func(*server.Config) {})
	got := s.get("/ui/sagas?status=stuck")
	require.Equal(t, http.StatusSeeOther, got.StatusCode)
	assert.Equal(t, "/ui/sign-in?to="+url.QueryEscape("/ui/sagas?status=stuck"), got.Header.Get("Location"))
	got = s.signIn("sk_wrong")
	assert.Equal(t, http.StatusUnauthorized, got.StatusCode)
	assert.Contains(t, got.Header.Get("WWW-Authenticate"), "Bearer")
	assert.Contains(t, got.text, "not valid")
	assert.Empty(t, got.Header.Get("Set-Cookie"))

	got = s.signIn(keys[record.Operator])
	require.Equal(t, http.StatusSeeOther, got.StatusCode)
	cookie := got.Header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		assert.Contains(t, cookie, part)
	}
	assert.NotContains(t, cookie, keys[record.Operator][3:], "the key is sealed")
	assert.NotContains(t, cookie, "Secure", "the test does not use TLS")
	assert.Contains(t, s.get("/ui/sagas").text, "the operator")
	for _, path := range []string{"/ui/keys", "/ui/webhooks", "/ui/audit"} {
		assert.Contains(t, s.get(path).text, "does not have the role", "%s is the admins'", path)
		assert.NotContains(t, s.get("/ui/sagas").text, `href="`+path+`"`)
	}

	assert.Equal(t, http.StatusSeeOther, s.send(http.MethodPost, "/ui/sign-out", url.Values{}).StatusCode)
	assert.Equal(t, http.StatusSeeOther, s.get("/ui/sagas").StatusCode)
}

func TestASessionCookieIsSecureBehindTLS(t *testing.T) {
	t.Parallel()
	s, keys := withKeys(t, func(*server.Config) {})
	got := s.send(http.MethodPost, "/ui/sign-in", url.Values{"key": {keys[record.Viewer]}}, "X-Forwarded-Proto", "https")
	assert.Contains(t, got.Header.Get("Set-Cookie"), "Secure")
}

func TestAForgedCookieIsNotASession(t *testing.T) {
	t.Parallel()
	s, keys := withKeys(t, func(*server.Config) {})
	value := s.signIn(keys[record.Admin]).Cookies()[0].Value
	for _, forged := range []string{"", "x", "AAAA", value[:len(value)-2], strings.ToUpper(value), keys[record.Admin]} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.origin+"/ui/sagas", nil)
		require.NoError(t, err)
		request.Header.Set("Cookie", "orchestrator_session="+forged)
		client := &http.Client{CheckRedirect: s.client.CheckRedirect}
		response, err := client.Do(request)
		require.NoError(t, err)
		assert.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusSeeOther, response.StatusCode)
	}
}

func TestAViewerSeesNoActions(t *testing.T) {
	t.Parallel()
	s, keys := withKeys(t, func(*server.Config) {})
	s.signIn(keys[record.Admin])
	require.Equal(t, http.StatusSeeOther, s.send(http.MethodPost, "/ui/register", url.Values{"name": {"order"}, "text": {one}}).StatusCode)
	started := s.send(http.MethodPost, "/ui/definitions/order/start", url.Values{"data": {"{}"}, "key": {"k-1"}, "labels": {"a=b"}, "priority": {"3"}})
	require.Equal(t, http.StatusSeeOther, started.StatusCode, started.text)
	path, _, _ := strings.Cut(started.Header.Get("Location"), "?")
	assert.Contains(t, s.get(path).text, path+"/act/compensate")
	s.signIn(keys[record.Viewer])
	shown := s.get(path).text
	assert.Contains(t, shown, "An operator may")
	assert.NotContains(t, shown, path+"/act/compensate")
	assert.NotContains(t, s.get("/ui/definitions").text, "Register a definition")
	refused := s.send(http.MethodPost, path+"/act/compensate", url.Values{"reason": {"x"}})
	assert.Equal(t, http.StatusForbidden, refused.StatusCode)
	assert.Contains(t, refused.text, "role operator")
}

func TestASignInLeadsOnlyToThePage(t *testing.T) {
	t.Parallel()
	s, keys := withKeys(t, func(*server.Config) {})
	for to, wanted := range map[string]string{
		"/ui/queues?x=1": "/ui/queues?x=1", "https://evil.example": "/", "//evil.example": "/", "/\\evil.example": "/", "/v1/sagas": "/", "": "/",
	} {
		got := s.send(http.MethodPost, "/ui/sign-in", url.Values{"key": {keys[record.Viewer]}, "to": {to}})
		assert.Equal(t, wanted, got.Header.Get("Location"), to)
	}
}

func TestThePageShowsWhatAKeyIsLimitedTo(t *testing.T) {
	t.Parallel()
	s, keys := withKeys(t, func(*server.Config) {})
	s.signIn(keys[record.Admin])
	got := s.send(http.MethodPost, "/ui/keys", url.Values{
		"name": {"ci"}, "role": {"viewer"}, "expires_in": {"90d"}, "definitions": {"order, refund"},
	})
	require.Equal(t, http.StatusCreated, got.StatusCode)
	assert.Contains(t, got.text, "order")
	assert.Contains(t, got.text, time.Now().UTC().Add(90*24*time.Hour).Format("2006-01"))
	got = s.send(http.MethodPost, "/ui/keys", url.Values{"name": {"ci"}, "role": {"viewer"}, "expires_in": {"soon"}})
	assert.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	assert.Contains(t, got.text, "such as 12h or 90d")
}
