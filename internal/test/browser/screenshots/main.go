// Command screenshots takes pictures of every view, as `make screenshots` does: of a demo that it starts, and of an
// orchestrator without sagas. The pictures of the README go to docs/images, all others to a temporary folder.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// shot is a picture of one view.
type shot struct{ name, path string }

// tallest limits a picture, in pixels: the rest of a long view looks like its beginning.
const tallest = 2000

// sagaHeight shows a saga down to the graph of its steps, in pixels.
const sagaHeight = 1010

// kept returns the pictures that belong to the documentation.
func kept() []string {
	return []string{"overview-light", "overview-dark", "saga-light", "saga-dark", "bulk-form-light", "saga-narrow"}
}

func main() {
	into := flag.String("into", "docs/images", "folder for the pictures of the documentation")
	running := flag.Duration("for", 75*time.Second, "how long the demo runs before")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *into, *running)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, into string, running time.Duration) error {
	others, err := os.MkdirTemp("", "screenshots-")
	if err != nil {
		return fmt.Errorf("create a folder: %w", err)
	}
	b, err := browser.Open(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	t := taker{browser: b, into: into, others: others}
	if err := with(ctx, server.Config{Listen: "127.0.0.1:0", Auth: "none", Version: "dev"}, func(url string) error {
		return t.all(url, []shot{
			{"empty-overview", "/"},
			{"empty-sagas", "/ui/sagas"},
			{"empty-definitions", "/ui/definitions"},
			{"empty-queues", "/ui/queues"},
			{"empty-dead-letters", "/ui/dead-letters"},
			{"empty-bulk", "/ui/bulk"},
			{"empty-webhooks", "/ui/webhooks"},
			{"empty-audit", "/ui/audit"},
			{"missing", "/ui/nowhere"},
		})
	}); err != nil {
		return err
	}
	return with(ctx, server.Config{Listen: "127.0.0.1:0", Auth: "none", Version: "dev", Demo: true}, func(url string) error {
		if !wait.For(ctx, running) {
			return ctx.Err()
		}
		shots, err := ofDemo(ctx, client.New(client.Config{Server: url}))
		if err != nil {
			return err
		}
		return t.all(url, shots)
	})
}

// with runs a server while do works.
func with(ctx context.Context, config server.Config, do func(url string) error) error {
	s, err := server.Open(ctx, config)
	if err != nil {
		return fmt.Errorf("open an orchestrator: %w", err)
	}
	serving, stop := context.WithCancel(ctx)
	var served sync.WaitGroup
	served.Go(func() { _ = s.Run(serving) })
	defer served.Wait()
	defer stop()
	return do(s.URL())
}

// ofDemo returns the views of a demo, with examples of what they show.
func ofDemo(ctx context.Context, c *client.Client) ([]shot, error) {
	groups, err := c.Groups(ctx, "")
	if err != nil {
		return nil, err
	}
	if len(groups.Items) == 0 {
		return nil, fmt.Errorf("the demo has no stuck sagas so far: give it more time")
	}
	stuck := groups.Items[0].Example
	undone, err := c.Sagas(ctx, client.Filter{Statuses: []saga.Status{saga.Compensated}}, client.Page{Limit: 1})
	if err != nil {
		return nil, err
	}
	letters, err := c.DeadLetters(ctx, client.Page{Limit: 1})
	if err != nil {
		return nil, err
	}
	bulk, err := c.ActOnSagas(ctx, resource.BulkRequest{
		Action: "retry", Filter: json.RawMessage(`{"attention_reason":["compensation_exhausted"]}`), Reason: "the bank has reopened the accounts", Canary: 1,
	})
	if err != nil {
		return nil, err
	}
	key, err := c.CreateKey(ctx, resource.NewKey{Name: "the order service", Role: "operator", ExpiresIn: "90d", Definitions: []string{"order"}})
	if err != nil {
		return nil, err
	}
	for name, events := range map[string][]string{"pager": {"saga.stuck", "saga.attention", "queue.unhealthy"}, "ledger": {"saga.completed"}} {
		if _, err := c.PutWebhook(ctx, name, resource.NewWebhook{URL: "http://127.0.0.1:9/" + name, Events: events}); err != nil {
			return nil, err
		}
	}
	maxOut := 200
	if _, err := c.SetQueue(ctx, "payments", client.QueueSettings{MaxOut: &maxOut}); err != nil {
		return nil, err
	}
	group := "definition=order&attention_reason=" + string(groups.Items[0].Reason) + "&step=" + string(groups.Items[0].Step)
	shots := []shot{
		{"overview", "/"},
		{"sagas", "/ui/sagas"},
		{"sagas-stuck", "/ui/sagas?status=stuck"},
		{"saga", "/ui/sagas/" + stuck},
		{"act", "/ui/sagas/" + stuck + "/act/skip"},
		{"patch", "/ui/sagas/" + stuck + "/act/patch_data"},
		{"definitions", "/ui/definitions"},
		{"definition", "/ui/definitions/order"},
		{"start", "/ui/definitions/order/start"},
		{"register", "/ui/register?name=order"},
		{"queues", "/ui/queues"},
		{"queue", "/ui/queues/payments"},
		{"dead-letters", "/ui/dead-letters"},
		{"bulk-list", "/ui/bulk"},
		{"bulk", "/ui/bulk/" + bulk.ID},
		{"bulk-form", "/ui/bulk/new?action=retry&" + group},
		{"keys", "/ui/keys"},
		{"key", "/ui/keys/" + key.ID},
		{"webhooks", "/ui/webhooks"},
		{"webhook", "/ui/webhooks/pager"},
		{"audit", "/ui/audit"},
		{"help", "/ui/help"},
	}
	for _, s := range undone.Items {
		shots = append(shots, shot{"saga-compensated", "/ui/sagas/" + s.ID})
	}
	for _, l := range letters.Items {
		shots = append(shots, shot{"dead-letter", "/ui/dead-letters/" + l.ID})
	}
	return shots, nil
}

// taker takes pictures.
type taker struct {
	browser      *browser.Browser
	into, others string
}

// all takes a picture of each view in each look.
func (t taker) all(url string, shots []shot) error {
	for _, name := range []string{"light", "dark", "narrow", "narrow-dark"} {
		look := browser.Look{Width: 1280, Height: 860, Dark: strings.Contains(name, "dark")}
		if strings.HasPrefix(name, "narrow") {
			look.Width, look.Height = 360, 740
		}
		tab, err := t.browser.Tab(url, look)
		if err != nil {
			return err
		}
		for _, s := range shots {
			if err := t.one(tab, url+s.path, s.name+"-"+name); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		tab.Close()
	}
	fmt.Println(len(shots)*4, "pictures are in", t.others, "and", t.into)
	return nil
}

// one takes the picture of a view. That of a bulk form is taken after a dry run.
func (t taker) one(tab *browser.Tab, address, name string) error {
	file, document := filepath.Join(t.others, name+".png"), slices.Contains(kept(), name)
	if document {
		file = filepath.Join(t.into, name+".png")
	}
	actions := []chromedp.Action{chromedp.Navigate(address), chromedp.WaitReady("main")}
	if strings.HasPrefix(name, "bulk-form") {
		actions = append(actions, chromedp.SetValue(`[name="reason"]`, "the mail server is repaired"), chromedp.SetValue(`[name="canary"]`, "3"),
			chromedp.Click(`[name="dry"]`), chromedp.WaitVisible(".dry"))
	}
	var picture []byte
	var height int64
	capture := chromedp.ActionFunc(func(ctx context.Context) (err error) {
		switch {
		case !document:
			err = tab.Resize(ctx, min(height, tallest))
		case strings.HasPrefix(name, "saga-"): // down to the graph
			err = tab.Resize(ctx, sagaHeight)
		}
		if err == nil {
			picture, err = page.CaptureScreenshot().Do(ctx)
		}
		return err
	})
	actions = append(actions, chromedp.Evaluate("Math.max(innerHeight, document.documentElement.scrollHeight)", &height), capture,
		chromedp.ActionFunc(func(ctx context.Context) error { return tab.Resize(ctx, 0) }))
	if err := tab.Do(actions...); err != nil {
		return err
	}
	return os.WriteFile(file, picture, 0o644)
}
