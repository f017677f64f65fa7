package browser_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// set clicks the box or the choice of a form that has a value.
func (d *desk) set(name, value string) {
	d.t.Helper()
	field := `main input[name="` + name + `"][value="` + value + `"]`
	require.NoError(d.t, d.tab.Do(chromedp.WaitVisible(field), chromedp.Click(field)), "set %s to %s", name, value)
}

// secret returns the secret that the page shows.
func (d *desk) secret() string {
	d.t.Helper()
	var shown string
	require.NoError(d.t, d.tab.Do(chromedp.Text(`.would code[aria-label="The secret"]`, &shown)))
	return shown
}

// A webhook is added, tested while its receiver is broken and repaired, given a new secret, and deleted.
func TestAWebhookIsAddedAndTested(t *testing.T) {
	t.Parallel()
	taken, broken := make(chan *http.Request, 10), make(chan bool, 1)
	broken <- true
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-broken:
			w.WriteHeader(http.StatusTeapot)
		default:
			taken <- r
		}
	}))
	defer receiver.Close()
	d := open(t, browser.Look{})
	d.visit("/")
	d.click("Webhooks")
	d.see("No webhook so far")
	d.fill("name", "pager")
	d.fill("url", receiver.URL+"/hook")
	d.click("Add a webhook")
	d.see("must have 1 to")
	d.set("events", "saga.stuck")
	d.set("events", "queue.unhealthy")
	d.click("Add a webhook")
	d.see("Copy it now")
	first := d.secret()
	assert.Contains(t, first, "whsec_")

	d.click("Send a test event")
	d.see("The receiver did not take the test event")
	d.see("418")
	d.click("Send a test event")
	d.see("The receiver took the test event")
	select {
	case r := <-taken:
		assert.Equal(t, "/hook", r.URL.Path)
		assert.NotEmpty(t, r.Header.Get("Webhook-Signature"))
	case <-time.After(browser.Patience):
		t.Fatal("the test event never came")
	}
	d.set("secret", "new")
	d.click("Change the webhook")
	d.see("Copy it now")
	assert.NotEqual(t, first, d.secret())
	d.set("events", "saga.completed")
	d.click("Change the webhook")
	d.see("The webhook is changed")
	hook, err := d.client.Webhook(t.Context(), "pager")
	require.NoError(t, err)
	assert.Equal(t, []string{"queue.unhealthy", "saga.completed", "saga.stuck"}, hook.Events)

	d.visit("/ui/webhooks")
	d.fill("name", "pager")
	d.fill("url", receiver.URL)
	d.set("events", "saga.stuck")
	d.click("Add a webhook")
	d.see("A webhook of this name exists")
	d.click("pager")
	d.click("Delete the webhook")
	d.see("The webhook is deleted")
}

// The key of the session is rotated: the page goes on with the new secret, and the one before is refused at once.
func TestAKeyIsCreatedAndRotated(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.db")
	kept, err := memory.Open(memory.Config{File: file})
	require.NoError(t, err)
	key, secret, faults := api.NewKey(resource.NewKey{Name: "ada", Role: "admin"}, time.Now())
	require.Empty(t, faults)
	require.NoError(t, kept.CreateKey(context.WithoutCancel(t.Context()), key))
	require.NoError(t, kept.Close())
	d := open(t, browser.Look{}, func(c *server.Config) { c.Auth, c.File = "keys", file })
	d.visit("/ui/keys")
	d.fill("key", secret)
	d.click("Sign in")
	d.see("Create a key")
	d.fill("name", "ci")
	d.fill("expires_in", "soon")
	d.fill("definitions", "order, refund")
	d.click("Create a key")
	d.see("must be a duration")
	d.fill("expires_in", "90d")
	d.click("Create a key")
	d.see("The key of ci")
	assert.Contains(t, d.secret(), "sk_")

	d.click("ada")
	d.see("You are signed in with this key")
	d.fill("grace", "31d")
	d.click("Rotate the key")
	d.see("must be 0, or a duration from 1s to 30d")
	d.fill("grace", "")
	d.click("Rotate the key")
	d.see("The secret before is refused from now on")
	rotated := d.secret()
	d.visit("/ui/keys") // the session has the new secret
	d.see("Create a key")
	for sent, wanted := range map[string]int{secret: http.StatusUnauthorized, rotated: http.StatusOK} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/v1/keys/me", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+sent)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, wanted, response.StatusCode)
	}
	d.click("ci")
	d.see("order, refund")
	d.click("Revoke the key")
	d.see("The key is revoked")
	d.click("ada")
	d.click("Revoke the key")
	d.see("Sign in")
}

// An entry of the audit log is found by its target, and says what was before and after.
func TestAChangeIsFoundInTheAuditLog(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("order", orderBody)
	for range 60 {
		d.start("order", "", `{"email":"ken@example.com"}`)
	}
	d.visit("/ui/queues/work")
	d.fill("max_out", "7")
	d.click("Set limits")
	d.see("The queue has its new limits")
	d.visit("/")
	d.click("Audit log")
	d.see("queue.set")
	d.see("50 on this page")
	d.click("Next page")
	d.see("definition.put")
	d.click("First page")
	d.fill("target", "work")
	d.click("Filter")
	d.see("1 on this page")
	assert.Contains(t, d.address(), "target=work")
	d.click("queue.set")
	d.see(`"max_out": 7`)
	d.see("Hash")
	d.fill("since", "yesterday")
	d.click("Filter")
	d.see("since")
	d.visit("/ui/audit?since=2020-01-01T00:00&until=2020-01-02T00:00")
	d.see("None matches these filters")
	chain, err := d.client.AuditChain(t.Context())
	require.NoError(t, err)
	assert.Positive(t, chain.Seq)
}
