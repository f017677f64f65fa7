package server_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/issuer"
	"github.com/saga-orchestrator/orchestrator/server"
)

// browser follows redirects and keeps cookies.
type browser struct {
	*http.Client
	t *testing.T
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{DisableKeepAlives: true}
	return browser{&http.Client{Jar: jar, Transport: transport}, t}
}

// open returns the last address, its status and its content.
func (b browser) open(address string) (at *url.URL, status int, content string) {
	b.t.Helper()
	response, err := b.Get(address)
	require.NoError(b.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	return response.Request.URL, response.StatusCode, string(text)
}

// signingIn returns a server whose operators sign in at an issuer.
func signingIn(t *testing.T) (*server.Server, *issuer.Issuer) {
	t.Helper()
	at := issuer.New(t)
	s, _ := serving(t, server.Config{Auth: "keys", SignIn: &server.SignInConfig{
		Issuer: at.URL, ClientID: issuer.ClientID, ClientSecret: issuer.ClientSecret, RoleClaim: "groups",
		Roles: map[string][]string{"viewer": {"staff"}, "operator": {"oncall"}, "admin": {"platform"}},
	}})
	return s, at
}

func TestOperatorsSignInAtAnIssuer(t *testing.T) {
	t.Parallel()
	s, at := signingIn(t)
	at.Claim(map[string]any{"email": "ada@example.com", "groups": []string{"staff", "platform"}})
	b := newBrowser(t)
	_, _, content := b.open(s.URL() + "/ui/definitions")
	assert.Contains(t, content, `href="/ui/oidc/start?to=`)
	landed, status, content := b.open(s.URL() + "/ui/oidc/start?to=/ui/definitions")
	require.Equal(t, http.StatusOK, status, content)
	assert.Equal(t, "/ui/definitions", landed.Path, "it returns to where the viewer wanted to go")
	assert.Contains(t, content, "ada@example.com")

	change := func(path string, form url.Values) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Sec-Fetch-Site", "same-origin")
		response, err := b.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	assert.Equal(t, http.StatusOK, change("/ui/register", url.Values{
		"name": {"order"}, "text": {`{"steps":[{"name":"do","command":"work.do"}]}`},
	}))
	_, _, audit := b.open(s.URL() + "/ui/audit")
	assert.Contains(t, audit, "ada@example.com")

	for _, cookie := range b.Jar.Cookies(landed) {
		assert.NotContains(t, cookie.Value, "ada")
	}
	change("/ui/sign-out", nil)
	landed, _, _ = b.open(s.URL() + "/ui/definitions")
	assert.Equal(t, "/ui/sign-in", landed.Path)
}

func TestASignInIsRefused(t *testing.T) {
	t.Parallel()
	s, at := signingIn(t)
	good := map[string]any{"email": "ada@example.com", "groups": "platform"}
	with := func(name string, value any) map[string]any {
		claims := map[string]any{name: value}
		for other, kept := range good {
			if other != name {
				claims[other] = kept
			}
		}
		return claims
	}
	for what, claims := range map[string]map[string]any{
		"another nonce": with("nonce", "another"), "another audience": with("aud", "another"), "another issuer": with("iss", "https://example.com"),
		"an expired token": with("exp", time.Now().Add(-time.Hour).Unix()), "a subject that cannot be shown": with("sub", "a\nb"),
	} {
		at.Claim(claims)
		b := newBrowser(t)
		landed, status, _ := b.open(s.URL() + "/ui/oidc/start")
		assert.Equal(t, http.StatusUnauthorized, status, what)
		assert.Equal(t, "/ui/oidc/callback", landed.Path, what)
		landed, _, _ = b.open(s.URL() + "/")
		assert.Equal(t, "/ui/sign-in", landed.Path, what)
	}
	for _, groups := range []any{nil, "others", []string{}, 7} {
		at.Claim(with("groups", groups))
		_, status, content := newBrowser(t).open(s.URL() + "/ui/oidc/start")
		assert.Equal(t, http.StatusForbidden, status)
		assert.Contains(t, content, "none of your groups has a role")
	}
	at.Claim(good)
	_, status, _ := newBrowser(t).open(s.URL() + "/ui/oidc/start")
	require.Equal(t, http.StatusOK, status, "with the right claims it is accepted")
	at.Forge(t)
	_, status, _ = newBrowser(t).open(s.URL() + "/ui/oidc/start")
	assert.Equal(t, http.StatusUnauthorized, status, "a token that another key has signed")
}

// An attacker cannot make a browser take over a sign-in that it has not begun, nor use a callback twice.
func TestACallbackNeedsTheStateOfItsBrowser(t *testing.T) {
	t.Parallel()
	s, at := signingIn(t)
	at.Claim(map[string]any{"groups": "platform"})
	attacker := newBrowser(t)
	var callback string
	attacker.CheckRedirect = func(request *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(request.URL.String(), s.URL()) {
			callback = request.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	_, _, _ = attacker.open(s.URL() + "/ui/oidc/start")
	require.Contains(t, callback, "code=")
	_, status, _ := newBrowser(t).open(callback)
	assert.Equal(t, http.StatusUnauthorized, status, "a browser without a sign-in")
	begun := newBrowser(t)
	begun.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	_, _, _ = begun.open(s.URL() + "/ui/oidc/start")
	_, status, _ = begun.open(callback)
	assert.Equal(t, http.StatusUnauthorized, status, "a browser with another one")
	attacker.CheckRedirect = nil
	_, status, _ = attacker.open(callback)
	assert.Equal(t, http.StatusOK, status)
	_, status, _ = attacker.open(callback)
	assert.Equal(t, http.StatusUnauthorized, status, "the same callback again")
}

// The role is that of the highest group, and the API itself takes keys only.
func TestTheRoleComesFromTheGroups(t *testing.T) {
	t.Parallel()
	s, at := signingIn(t)
	at.Claim(map[string]any{"email": "eve@example.com", "email_verified": false, "groups": []string{"staff"}})
	b := newBrowser(t)
	_, status, content := b.open(s.URL() + "/ui/oidc/start")
	require.Equal(t, http.StatusOK, status)
	assert.Contains(t, content, "user-1", "an address that is not verified is not a name")
	assert.NotContains(t, content, "eve@example.com")
	_, status, _ = b.open(s.URL() + "/ui/keys")
	assert.Equal(t, http.StatusForbidden, status, "a viewer sees no keys")
	_, status, _ = b.open(s.URL() + "/v1/sagas")
	assert.Equal(t, http.StatusUnauthorized, status)
	for _, key := range []string{`oidc:{"subject":"x","name":"x","role":"admin"}`, "oidc:"} {
		response, err := b.PostForm(s.URL()+"/ui/sign-in", url.Values{"key": {key}})
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "a form does not make a session")
	}
}

func TestTheConfigurationOfTheSignInIsChecked(t *testing.T) {
	t.Parallel()
	right := server.SignInConfig{Issuer: "https://login.example.com", ClientID: "x", RoleClaim: "groups", Roles: map[string][]string{"admin": {"a"}}}
	for want, change := range map[string]func(*server.SignInConfig){
		"issuer":       func(c *server.SignInConfig) { c.Issuer = "login" },
		"client id":    func(c *server.SignInConfig) { c.ClientID = "" },
		"role claim":   func(c *server.SignInConfig) { c.RoleClaim = "" },
		"roles":        func(c *server.SignInConfig) { c.Roles = nil },
		`"root"`:       func(c *server.SignInConfig) { c.Roles = map[string][]string{"root": {"a"}} },
		"redirect URL": func(c *server.SignInConfig) { c.RedirectURL = "/ui/oidc/callback" },
	} {
		config := right
		change(&config)
		err := server.Config{Auth: "keys", Listen: "127.0.0.1:0", SignIn: &config}.Validate()
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, server.Config{Auth: "keys", Listen: "127.0.0.1:0", SignIn: &right}.Validate())
	require.ErrorContains(t, server.Config{Auth: "none", Listen: "127.0.0.1:0", SignIn: &right}.Validate(), "auth none")
}
