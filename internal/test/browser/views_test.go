package browser_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// axe is axe-core, a checker of accessibility; see testdata/axe.LICENSE.txt.
//
//go:embed testdata/axe.min.js
var axe string

// maxAssets bounds what a view loads, in bytes, uncompressed: the page, its style sheet, its scripts and its icon.
const maxAssets = 150 << 10

// views fills an orchestrator with something of everything and returns the address of every view.
func views(d *desk) []string {
	d.t.Helper()
	d.poison.Store(true)
	d.define("order", orderBody)
	d.define("order", strings.Replace(orderBody, "reserve, confirm, send", "another text", 1))
	d.define("poison", poisonBody)
	stuck := d.start("order", "order-1", `{"email":"nobody"}`)
	done := d.start("order", "order-2", `{"email":"ken@example.com"}`)
	d.start("poison", "", `{}`)
	d.until(stuck.ID, saga.Stuck)
	d.until(done.ID, saga.Completed)
	var letters resource.List[resource.DeadLetter]
	require.Eventually(d.t, func() bool {
		var err error
		letters, err = d.client.DeadLetters(d.t.Context(), client.Page{})
		return err == nil && len(letters.Items) == 1
	}, browser.Patience, 20e6)
	bulk, err := d.client.ActOnSagas(d.t.Context(), resource.BulkRequest{
		Action: "retry", Filter: json.RawMessage(`{"definition":"order"}`), Reason: "a test",
	})
	require.NoError(d.t, err)
	key, err := d.client.CreateKey(d.t.Context(), resource.NewKey{Name: "ci", Role: "viewer", ExpiresIn: "90d", Definitions: []string{"order"}})
	require.NoError(d.t, err)
	_, err = d.client.PutWebhook(d.t.Context(), "pager", resource.NewWebhook{URL: "http://127.0.0.1:9/hook", Events: []string{"saga.stuck"}})
	require.NoError(d.t, err)
	return []string{
		"/", "/ui/sagas", "/ui/sagas?status=stuck&definition=order", "/ui/sagas?key=none", "/ui/sagas/" + stuck.ID, "/ui/sagas/" + done.ID,
		"/ui/sagas/" + stuck.ID + "/act/skip", "/ui/sagas/" + stuck.ID + "/act/patch_data", "/ui/sagas/" + done.ID + "/act/retry",
		"/ui/definitions", "/ui/definitions/order?version=2&compare=1", "/ui/definitions/order/start", "/ui/register",
		"/ui/queues", "/ui/dead-letters", "/ui/dead-letters/" + letters.Items[0].ID, "/ui/bulk", "/ui/bulk/" + bulk.ID,
		"/ui/bulk/new?definition=order&action=patch_data", "/ui/bulk/new?on=dead_letters&queue=work", "/ui/keys", "/ui/keys/" + key.ID, "/ui/webhooks", "/ui/webhooks/pager",
		"/ui/audit", "/ui/audit?actor=none", "/ui/help", "/ui/nowhere",
	}
}

// Every view is small, asks no other site, reports no error, and is not wider than a phone.
func TestEveryViewIsSmallAndKeepsToItself(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{Width: 360, Height: 740})
	for _, path := range views(d) {
		d.tab.Forget()
		require.NoError(t, d.tab.Do(chromedp.Evaluate("1", nil)))
		d.visit(path)
		var sum int64
		for _, size := range d.tab.Loaded() {
			sum += size
		}
		assert.Positive(t, sum, path)
		assert.Less(t, sum, int64(maxAssets), "%s loads %v", path, d.tab.Loaded())
		assert.True(t, d.fits(), "%s is wider than the window", path)
		if path != "/ui/nowhere" && !strings.HasPrefix(path, "/ui/queues") { // a missing page is an error to a browser
			assert.Empty(t, d.tab.Faults(), path)
		}
	}
}

// fits reports whether the page is as narrow as the window.
func (d *desk) fits() bool {
	d.t.Helper()
	var fits bool
	require.NoError(d.t, d.tab.Do(chromedp.Evaluate("document.documentElement.scrollWidth <= window.innerWidth", &fits)))
	return fits
}

// A checker of accessibility finds nothing serious in any view: names of controls, contrast, structure.
func TestEveryViewIsAccessible(t *testing.T) {
	t.Parallel()
	for _, look := range []browser.Look{{Width: 1280, Height: 900}, {Width: 1280, Height: 900, Dark: true}, {Width: 360, Height: 740}} {
		t.Run(fmt.Sprintf("%d dark %t", look.Width, look.Dark), func(t *testing.T) {
			t.Parallel()
			d := open(t, look)
			for _, path := range views(d) {
				d.visit(path)
				require.NoError(t, d.tab.Do(chromedp.Evaluate(`for (const d of document.querySelectorAll("details")) d.open = true`, nil)))
				assert.Empty(t, d.findings(), path)
			}
		})
	}
}

// findings returns what axe-core calls serious or critical.
func (d *desk) findings() []string {
	d.t.Helper()
	const check = `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.flatMap(v => v.nodes.slice(0, 4).map(n => v.id + ": " + n.html.slice(0, 160) + " " + (n.any[0] ? n.any[0].message : ""))))`
	var found []string
	wait := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	require.NoError(d.t, d.tab.Do(chromedp.Evaluate(axe+";1", nil), chromedp.Evaluate(check, &found, wait)))
	return found
}

// The focus of the keyboard is visible on every kind of control.
func TestTheFocusIsVisible(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{})
	d.define("order", orderBody)
	d.visit("/ui/definitions/order/start")
	for range 12 {
		d.press("\t")
		var outlined bool
		require.NoError(t, d.tab.Do(chromedp.Evaluate(`(() => { const a = document.activeElement, s = getComputedStyle(a);
			return a === document.body || s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 || !!a.closest(".search:focus-within") })()`, &outlined)))
		assert.True(t, outlined)
	}
}

// Texts of others do no harm: markup, writing from right to left, long words and many steps, in every field.
func TestHostileTextsAreShownAsTexts(t *testing.T) {
	t.Parallel()
	d := open(t, browser.Look{Width: 360, Height: 740})
	const evil = `<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"'` + "\u202e مرحبا שלום "
	long := strings.Repeat("W", 3000)
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`{"name":"step-%d-%s","queue":"work","command":"many.do","after":[]}`, i, strings.Repeat("x", 40)))
	}
	text, err := json.Marshal(evil + long)
	require.NoError(t, err)
	d.define("many", `{"description":`+string(text)+`,"steps":[`+strings.Join(many, ",")+`]}`)
	d.define("order", orderBody)
	data, err := json.Marshal(map[string]any{"email": evil, evil: long, "big": strings.Repeat(long, 60)})
	require.NoError(t, err)
	wide := d.start("many", "", `{"email":`+string(text)+`}`) // not the big data: every command would carry it
	stuck, err := d.client.Start(t.Context(), client.StartRequest{
		Definition: "order", Key: `<b>"key"&` + strings.Repeat("W", 100), IdempotencyKey: "hostile", Labels: map[string]string{"l": `<i>'` + strings.Repeat("W", 200)},
	})
	require.NoError(t, err)
	d.until(wide.ID, saga.Completed)
	d.until(stuck.ID, saga.Stuck)
	_, err = d.client.PatchData(t.Context(), stuck.ID, data, client.ActionOptions{Reason: evil[:40] + strings.Repeat("W", 900)})
	require.NoError(t, err)
	for _, path := range []string{
		"/", "/ui/sagas", "/ui/sagas/" + wide.ID, "/ui/sagas/" + stuck.ID, "/ui/sagas/" + stuck.ID + "/act/patch_data",
		"/ui/definitions", "/ui/definitions/many", "/ui/sagas?key=" + strings.Repeat("W", 120), "/ui/bulk/new?label=l%3D" + strings.Repeat("W", 200),
	} {
		d.visit(path)
		var title string
		require.NoError(t, d.tab.Do(chromedp.Title(&title)))
		assert.NotContains(t, title, "owned", path)
		assert.True(t, d.fits(), "%s is wider than the window", path)
	}
	d.fine()
}
