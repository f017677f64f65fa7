package browser

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Patience limits every step of a task, so that a page that never answers fails a test instead of hanging it.
const Patience = 30 * time.Second

// names returns the programs that may be installed, in the order in which to prefer them.
func names() []string {
	return []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
}

// Find returns the path of an installed browser.
func Find() (string, error) {
	for _, name := range names() {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("a browser is not installed: run `make test`, or apt install chromium")
}

// Browser is a headless browser.
type Browser struct {
	ctx  context.Context
	stop []context.CancelFunc
}

// Open starts a browser. Close it after use.
func Open(ctx context.Context) (*Browser, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(Patience),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"))
	allocated, stopAllocated := chromedp.NewExecAllocator(ctx, options...)
	started, stop := chromedp.NewContext(allocated)
	b := &Browser{ctx: started, stop: []context.CancelFunc{stop, stopAllocated}}
	if err := chromedp.Run(started); err != nil {
		b.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return b, nil
}

// Close ends the browser.
func (b *Browser) Close() {
	for _, stop := range b.stop {
		stop()
	}
}

// Tab is a tab of the browser. It records what goes wrong in it.
type Tab struct {
	ctx    context.Context
	stop   context.CancelFunc
	origin string
	look   Look

	mutex  sync.Mutex
	faults []string
	bytes  map[string]int64 // of each answer, by address
	asked  map[network.RequestID]string
}

// Look is how a tab shows a page.
type Look struct {
	Width, Height int
	Dark          bool
	NoScripts     bool
}

// Tab opens a tab for the site at an origin. Requests to anywhere else count as faults.
func (b *Browser) Tab(origin string, look Look) (*Tab, error) {
	ctx, stop := chromedp.NewContext(b.ctx)
	t := &Tab{ctx: ctx, stop: stop, origin: origin, look: look, bytes: make(map[string]int64), asked: make(map[network.RequestID]string)}
	chromedp.ListenTarget(ctx, t.listen)
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	err := t.Do(network.Enable(), log.Enable(), runtime.Enable(), page.Enable(),
		emulation.SetDeviceMetricsOverride(int64(look.Width), int64(look.Height), 1, look.Width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		emulation.SetFocusEmulationEnabled(true), page.BringToFront(), emulation.SetScriptExecutionDisabled(look.NoScripts))
	if err != nil {
		stop()
		return nil, err
	}
	return t, nil
}

// Resize gives the window a height; 0 is that of its Look.
func (t *Tab) Resize(ctx context.Context, height int64) error {
	if height == 0 {
		height = int64(t.look.Height)
	}
	return emulation.SetDeviceMetricsOverride(int64(t.look.Width), height, 1, t.look.Width < 600).Do(ctx)
}

// Close closes the tab.
func (t *Tab) Close() { t.stop() }

// Do runs actions within Patience.
func (t *Tab) Do(actions ...chromedp.Action) error {
	// A context that ends would close the tab, so the limit is a race instead.
	done := make(chan error, 1)
	go func() { done <- chromedp.Run(t.ctx, actions...) }()
	select {
	case err := <-done:
		return err
	case <-time.After(Patience):
		return fmt.Errorf("the page did not do it within %s", Patience)
	}
}

// Faults returns what went wrong so far: errors on the console, exceptions, and requests to other origins.
func (t *Tab) Faults() []string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return append([]string(nil), t.faults...)
}

// Loaded returns the uncompressed bytes of the answers since the last Forget, by address.
func (t *Tab) Loaded() map[string]int64 {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	loaded := make(map[string]int64, len(t.bytes))
	maps.Copy(loaded, t.bytes)
	return loaded
}

// Forget drops what the tab has recorded.
func (t *Tab) Forget() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.faults = nil
	clear(t.bytes)
}

func (t *Tab) listen(event any) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	switch event := event.(type) {
	case *log.EventEntryAdded:
		if event.Entry.Level == log.LevelError || event.Entry.Level == log.LevelWarning {
			t.faults = append(t.faults, fmt.Sprintf("%s: %s %s", event.Entry.Source, event.Entry.Text, event.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		t.faults = append(t.faults, "exception: "+event.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.APITypeError || event.Type == runtime.APITypeWarning {
			t.faults = append(t.faults, fmt.Sprintf("console: %v", event.Args))
		}
	case *network.EventRequestWillBeSent:
		t.asked[event.RequestID] = event.Request.URL
		if address, err := url.Parse(event.Request.URL); err == nil && address.Scheme != "data" && !strings.HasPrefix(event.Request.URL, t.origin) {
			t.faults = append(t.faults, "a request to another site: "+event.Request.URL)
		}
	case *network.EventDataReceived:
		t.bytes[t.asked[event.RequestID]] += event.DataLength
	}
}
