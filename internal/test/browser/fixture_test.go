package browser_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// desk is an orchestrator with a worker, and a browser in front of it.
type desk struct {
	t      *testing.T
	url    string
	client *client.Client
	hold   chan struct{} // holds the commands hold.do until it is closed
	poison atomic.Bool   // the worker rejects the commands poison.do, which become dead letters
	tab    *browser.Tab
}

// rooms bounds the browsers that run at the same time: on a small machine more of them would only make each other slow.
var rooms = make(chan struct{}, 2)

// open starts an orchestrator in this process, and a tab that shows it.
func open(t *testing.T, look browser.Look, change ...func(*server.Config)) *desk {
	t.Helper()
	rooms <- struct{}{}
	t.Cleanup(func() { <-rooms })
	config := server.Config{Listen: "127.0.0.1:0", Auth: "none", Version: "test"}
	for _, c := range change {
		c(&config)
	}
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	d := &desk{t: t, url: s.URL(), client: client.New(client.Config{Server: s.URL()}), hold: make(chan struct{})}
	background := context.WithoutCancel(t.Context())
	serving, stopServing := context.WithCancel(background)
	working, stopWorking := context.WithCancel(background)
	var served, worked sync.WaitGroup
	served.Go(func() { assert.NoError(t, s.Run(serving)) })
	worked.Go(func() { _ = s.Transport().Receive(working, "work", 20, d.work) })
	t.Cleanup(func() {
		stopWorking()
		worked.Wait()
		stopServing()
		served.Wait()
	})
	b, err := browser.Open(background)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	if look.Width == 0 {
		look.Width, look.Height = 1280, 900
	}
	d.tab, err = b.Tab(strings.TrimSuffix(s.URL(), config.BasePath), look)
	require.NoError(t, err)
	t.Cleanup(d.tab.Close)
	return d
}

// work answers a command. A receipt needs an address with an @.
func (d *desk) work(message wire.Message) wire.Answer {
	delivery, err := wire.DecodeCommand(message)
	if err != nil || delivery.Name == "poison.do" && d.poison.Load() {
		return wire.Answer{Settlement: wire.Rejected}
	}
	if delivery.Name == "hold.do" {
		<-d.hold
	}
	var data struct{ Email string }
	_ = json.Unmarshal(delivery.Data, &data)
	reply := wire.Succeeded(json.RawMessage(`{"by":"` + delivery.Name + `"}`))
	if delivery.Name == "email.receipt" && !strings.Contains(data.Email, "@") {
		reply = wire.Failed("address_refused", "this is not an email address", true)
	}
	body, err := reply.Encode()
	if err != nil {
		return wire.Answer{Settlement: wire.Rejected}
	}
	return wire.Answer{Settlement: wire.Replied, Reply: body}
}

// The definitions of the tests.
const (
	orderBody = `{"description":"reserve, confirm, send","steps":[
		{"name":"reserve","queue":"work","command":"inventory.reserve","compensation":"inventory.release"},
		{"name":"confirm","queue":"work","command":"orders.confirm","kind":"pivot"},
		{"name":"receipt","queue":"work","command":"email.receipt","kind":"retriable","retry":{"max_attempts":1}}]}`
	slowBody = `{"steps":[{"name":"ask","queue":"work","command":"hold.do","compensation":"ask.release"},
		{"name":"wait","queue":"work","command":"wait.do"}]}`
	poisonBody = `{"steps":[{"name":"do","queue":"work","command":"poison.do","retry":{"initial_interval":"1h","max_interval":"1h"}}]}`
)

func (d *desk) define(name, body string) {
	d.t.Helper()
	_, err := d.client.PutDefinition(d.t.Context(), name, json.RawMessage(body))
	require.NoError(d.t, err)
}

func (d *desk) start(definition, key, data string) resource.Saga {
	d.t.Helper()
	started, err := d.client.Start(d.t.Context(), client.StartRequest{
		Definition: definition, Key: key, Data: json.RawMessage(data), IdempotencyKey: rand.Text(),
	})
	require.NoError(d.t, err)
	return started
}

// until waits until a saga has the status.
func (d *desk) until(id string, status saga.Status) resource.Saga {
	d.t.Helper()
	var now resource.Saga
	require.Eventually(d.t, func() bool {
		var err error
		now, err = d.client.Saga(d.t.Context(), id)
		return err == nil && now.Status == status
	}, browser.Patience, 20*time.Millisecond, "saga %s never became %s", id, status)
	return now
}

// visit loads a view. The browser aborts it if an earlier form is still being sent, and it is loaded again.
func (d *desk) visit(path string) {
	d.t.Helper()
	var err error
	require.Eventually(d.t, func() bool {
		err = d.tab.Do(chromedp.Navigate(d.url+path), chromedp.WaitReady("main"))
		return err == nil || !strings.Contains(err.Error(), "net::ERR_ABORTED")
	}, browser.Patience, 20*time.Millisecond, path)
	require.NoError(d.t, err, path)
}

// click clicks the link or button in the page's content whose text begins with the label.
func (d *desk) click(label string) {
	d.t.Helper()
	quoted := `"` + label + `"`
	path := `(//main//a | //main//button | //main//summary | //nav//a | //header//button)[starts-with(normalize-space(.), ` + quoted + `)]`
	require.NoError(d.t, d.tab.Do(chromedp.WaitVisible(path, chromedp.BySearch), chromedp.Click(path, chromedp.BySearch)), "click %s", label)
}

// fill replaces the text of a field.
func (d *desk) fill(name, text string) {
	d.t.Helper()
	field := `main [name="` + name + `"]`
	set, err := json.Marshal([]string{field, text})
	require.NoError(d.t, err)
	script := `(([field, text]) => { const found = document.querySelector(field); found.focus(); found.value = text; })(` + string(set) + `)`
	require.NoError(d.t, d.tab.Do(chromedp.WaitVisible(field), chromedp.Evaluate(script, nil)), "fill %s", name)
}

// tick ticks the first rows of a list.
func (d *desk) tick(rows int) {
	d.t.Helper()
	for i := range rows {
		box := fmt.Sprintf("(//input[@name='id'])[%d]", i+1)
		require.NoError(d.t, d.tab.Do(chromedp.Click(box, chromedp.BySearch)))
	}
}

// choose chooses the action of a bulk form.
func (d *desk) choose(action string) {
	d.t.Helper()
	require.NoError(d.t, d.tab.Do(chromedp.Click(`input[name="action"][value="`+action+`"]`)))
}

// press presses keys once the page's script, which is deferred, is there to take them.
func (d *desk) press(keys string) {
	d.t.Helper()
	require.NoError(d.t, d.tab.Do(chromedp.WaitVisible("[data-theme-switch]"), chromedp.KeyEvent(keys)))
}

// see waits until the page shows a text.
func (d *desk) see(wanted string) {
	d.t.Helper()
	shown := ""
	require.Eventually(d.t, func() bool {
		shown = d.text()
		return strings.Contains(shown, wanted)
	}, browser.Patience, 50*time.Millisecond, "the page never shows %q", wanted)
}

// text returns the text that the page shows.
func (d *desk) text() string {
	var shown string
	if err := d.tab.Do(chromedp.Evaluate("document.body ? document.body.innerText : ''", &shown)); err != nil {
		return "" // a page is about to load
	}
	return shown
}

func (d *desk) address() string {
	d.t.Helper()
	var address string
	require.NoError(d.t, d.tab.Do(chromedp.Location(&address)))
	return strings.TrimPrefix(address, d.url)
}

// fine asserts that the browser reported no errors and asked no other site.
func (d *desk) fine() {
	d.t.Helper()
	assert.Empty(d.t, d.tab.Faults())
}

const enter = kb.Enter
