// Command screenshots takes pictures of every view of a running server, as `make screenshots` does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
)

// shot is a picture of one view.
type shot struct{ name, path string }

func main() {
	server := flag.String("server", "http://127.0.0.1:8080", "address of the server")
	into := flag.String("into", "docs/images", "folder for the pictures")
	views := flag.String("views", "", "name=path pairs, separated by spaces")
	looks := flag.String("looks", "light dark narrow", "any of light, dark, narrow and narrow-dark")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := take(ctx, *server, *into, *views, strings.Fields(*looks)); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func take(ctx context.Context, server, into, views string, looks []string) error {
	var shots []shot
	for _, pair := range strings.Fields(views) {
		name, path, _ := strings.Cut(pair, "=")
		shots = append(shots, shot{name, path})
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return fmt.Errorf("create the folder: %w", err)
	}
	b, err := browser.Open(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	for _, name := range looks {
		look := browser.Look{Width: 1280, Height: 860, Dark: strings.Contains(name, "dark")}
		if strings.HasPrefix(name, "narrow") {
			look.Width, look.Height = 360, 740
		}
		tab, err := b.Tab(server, look)
		if err != nil {
			return err
		}
		for _, s := range shots {
			if err := one(tab, server+s.path, filepath.Join(into, s.name+"-"+name+".png")); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		for _, fault := range tab.Faults() {
			fmt.Fprintln(os.Stderr, name+":", fault)
		}
		tab.Close()
	}
	return nil
}

// tallest limits a picture, in pixels: the rest of a long view looks like its beginning.
const tallest = 2000

func one(tab *browser.Tab, address, file string) error {
	var picture []byte
	var overflow bool
	var height int64
	err := tab.Do(chromedp.Navigate(address), chromedp.WaitReady("main"),
		chromedp.Evaluate("document.documentElement.scrollWidth > innerWidth", &overflow),
		chromedp.Evaluate("Math.max(innerHeight, document.documentElement.scrollHeight)", &height),
		chromedp.ActionFunc(func(ctx context.Context) (err error) {
			if err := tab.Resize(ctx, min(height, tallest)); err != nil {
				return err
			}
			picture, err = page.CaptureScreenshot().Do(ctx)
			return err
		}),
		chromedp.ActionFunc(func(ctx context.Context) error { return tab.Resize(ctx, 0) }))
	if err != nil {
		return err
	}
	if overflow {
		fmt.Fprintln(os.Stderr, "wider than the window:", file)
	}
	return os.WriteFile(file, picture, 0o644)
}
