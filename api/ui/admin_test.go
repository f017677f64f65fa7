package ui_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/server"
)

// Every type of event that the form of a webhook offers is one that the API takes, and the form offers all of them.
func TestTheFormOfAWebhookOffersEveryEvent(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*server.Config) {})
	offered := regexp.MustCompile(`name="events" value="([^"]+)"`).FindAllStringSubmatch(s.get("/ui/webhooks").text, -1)
	values := url.Values{"name": {"all"}, "url": {"http://127.0.0.1:9/"}, "secret": {"keep"}}
	for _, found := range offered {
		values.Add("events", found[1])
	}
	assert.ElementsMatch(t, record.EventTypes(), values["events"])
	got := s.send(http.MethodPost, "/ui/webhooks", values)
	require.Equal(t, http.StatusCreated, got.StatusCode, got.text)
	assert.Contains(t, got.text, "whsec_")
	assert.NotContains(t, s.get("/ui/webhooks/all").text, "The secret of the webhook", "it is shown once")

	values.Set("secret", "given")
	values.Set("given", "whsec_short")
	got = s.send(http.MethodPost, "/ui/webhooks/all", values)
	assert.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	assert.Contains(t, got.text, "must be whsec_ and 24 to 64 bytes in base64")
	assert.NotContains(t, got.text, "whsec_short", "a secret that was given is not sent back")
	assert.Equal(t, http.StatusConflict, s.send(http.MethodPost, "/ui/webhooks", values).StatusCode)
	for _, path := range []string{"", "/test", "/delete"} {
		assert.Equal(t, http.StatusNotFound, s.send(http.MethodPost, "/ui/webhooks/none"+path, values).StatusCode, path)
	}
}

// A key that is limited to definitions sees their part of the audit log, and neither webhooks nor keys.
func TestALimitedAdminReadsTheirPartOfTheAuditLog(t *testing.T) {
	t.Parallel()
	s, keys := withKeys(t, func(*server.Config) {})
	s.signIn(keys[record.Admin])
	for _, name := range []string{"order", "refund"} {
		require.Equal(t, http.StatusSeeOther, s.send(http.MethodPost, "/ui/register", url.Values{"name": {name}, "text": {one}}).StatusCode)
	}
	made := s.send(http.MethodPost, "/ui/keys", url.Values{"name": {"the owner"}, "role": {"admin"}, "definitions": {"order"}})
	secret := regexp.MustCompile(`sk_[A-Za-z0-9_-]{43}`).FindString(made.text)
	require.NotEmpty(t, secret)
	require.Eventually(t, func() bool { return strings.Contains(s.get("/ui/audit").text, "definitions/refund") }, 30*time.Second, 20*time.Millisecond)
	assert.Contains(t, s.get("/ui/audit").text, "The chain")
	assert.NotContains(t, s.get("/ui/audit").text, secret)

	s.signIn(secret)
	shown := s.get("/ui/audit").text
	assert.Contains(t, shown, "definitions/order")
	assert.NotContains(t, shown, "definitions/refund")
	assert.NotContains(t, shown, "The chain", "the API refuses it")
	assert.NotContains(t, shown, `href="/ui/keys"`)
	for _, path := range []string{"/ui/webhooks", "/ui/keys"} {
		assert.Equal(t, http.StatusForbidden, s.get(path).StatusCode, path)
	}
}
