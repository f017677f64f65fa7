package browser_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// plainPage opens a tab that runs no script of the page.
func plainPage(t *testing.T) *desk {
	t.Helper()
	d := open(t, browser.Look{Width: 1280, Height: 900, NoScripts: true})
	d.visit("/")
	var ran bool
	require.NoError(t, d.tab.Do(chromedp.Evaluate(`typeof htmx !== "undefined" || !document.querySelector("[data-theme-switch]").hidden`, &ran)))
	require.False(t, ran, "a script of the page has run")
	return d
}

func TestEveryViewIsReadWithoutScripts(t *testing.T) {
	t.Parallel()
	d := plainPage(t)
	for _, path := range views(d) {
		d.visit(path)
		var shown, hidden string
		require.NoError(t, d.tab.Do(
			chromedp.Evaluate(`document.querySelector("main").innerText`, &shown),
			chromedp.Evaluate(`[...document.querySelectorAll("main form button:not([hidden])")].filter(b => !b.form.getAttribute("action") && b.form.method != "dialog" && !b.getAttribute("formaction") && b.form.method != "get").map(b => b.innerText).join()`, &hidden),
		))
		assert.Greater(t, len(strings.Fields(shown)), 5, "%s shows %q", path, shown)
		assert.NotContains(t, shown, "Loading", path)
		assert.Empty(t, hidden, "%s has buttons that need a script", path)
	}
}

func TestSagasAreActedUponWithoutScripts(t *testing.T) {
	t.Parallel()
	d := plainPage(t)
	d.visit("/ui/register")
	d.fill("name", "order")
	d.fill("text", orderBody)
	d.click("Register")
	d.see("point of no return")
	d.click("Start a saga")
	d.fill("data", `{"email":"nobody"}`)
	d.fill("key", "order-1")
	d.click("Start a saga")
	d.see("order-1")
	id, _, _ := strings.Cut(strings.TrimPrefix(d.address(), "/ui/sagas/"), "?")
	d.until(id, saga.Stuck)

	d.visit("/ui/sagas/" + id)
	d.click("Fix data")
	d.fill("data", `{"email":"ken@example.com"}`)
	d.fill("reason", "the customer told us")
	d.click("Fix data")
	d.see("Fix data: done")
	d.click("Retry")
	d.fill("reason", "repaired")
	d.click("Retry")
	d.until(id, saga.Completed)
	d.visit("/ui/sagas/" + id)
	d.see("The saga has completed")

	d.define("gate", `{"steps":[{"name":"approval","signal":"approved"}]}`)
	waiting := d.start("gate", "gate-1", `{}`).ID
	d.visit("/ui/sagas/" + waiting)
	d.click("Give approved")
	d.fill("output", `{"by":"ada"}`)
	d.click("Give the signal")
	d.until(waiting, saga.Completed)

	cancelled := d.start("gate", "gate-2", `{}`).ID
	d.visit("/")
	require.NoError(t, d.tab.Do(chromedp.SetValue(`input[name="q"]`, "gate-2"), chromedp.Submit(`input[name="q"]`)))
	d.see("gate-2")
	d.visit("/ui/sagas/" + cancelled)
	d.click("Cancel and compensate")
	d.fill("reason", "a test")
	d.click("Cancel and compensate")
	d.until(cancelled, saga.Compensated)
}

func TestManyAreActedUponWithoutScripts(t *testing.T) {
	t.Parallel()
	d := plainPage(t)
	d.poison.Store(true)
	d.define("order", orderBody)
	d.define("poison", poisonBody)
	var ids []string
	for _, key := range []string{"a", "b", "c"} {
		ids = append(ids, d.start("order", key, `{"email":"nobody"}`).ID)
	}
	for _, id := range ids {
		d.until(id, saga.Stuck)
	}
	d.visit("/ui/sagas?status=stuck")
	d.tick(2)
	d.click("Act on the ticked")
	d.choose("abandon")
	d.fill("reason", "test orders")
	d.click("Dry run")
	d.see("2 of 2 would be acted upon")
	d.click("Abandon 2 of 2")
	d.see("Abandon 2 sagas")
	d.until(ids[2], saga.Abandoned) // the newest are first
	d.until(ids[0], saga.Stuck)

	poisoned := d.start("poison", "", `{}`).ID
	require.Eventually(t, func() bool {
		stats, err := d.client.Stats(t.Context())
		return err == nil && stats.DeadLetters == 1
	}, browser.Patience, 20e6)
	d.poison.Store(false)
	d.visit("/ui/dead-letters")
	d.click("…")
	d.fill("reason", "the worker is repaired")
	d.click("Redrive")
	d.see("The message is on its way")
	d.until(poisoned, saga.Completed)

	d.visit("/ui/queues/work")
	d.click("Pause")
	d.see("The queue is paused")
	d.click("Resume")
	d.see("The queue goes on")
	d.fill("max_out", "5")
	d.click("Set limits")
	d.see("The queue has its new limits")
}

func TestKeysAndWebhooksAreMadeWithoutScripts(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer receiver.Close()
	d := plainPage(t)
	d.visit("/ui/webhooks")
	d.fill("name", "pager")
	d.fill("url", receiver.URL)
	d.set("events", "saga.stuck")
	d.click("Add a webhook")
	d.see("Copy it now")
	d.click("Send a test event")
	d.see("The receiver took the test event")
	d.click("Delete the webhook")
	d.see("The webhook is deleted")

	d.visit("/ui/keys")
	d.fill("name", "ci")
	d.fill("expires_in", "90d")
	d.click("Create a key")
	d.see("The key of ci")
	d.click("ci")
	d.fill("grace", "")
	d.click("Rotate the key")
	d.see("The secret before is refused from now on")
	d.visit("/ui/keys")
	d.click("ci")
	d.click("Revoke the key")
	d.see("The key is revoked")
	d.visit("/ui/audit")
	d.see("key.create")
}
