// Command firstpaint measures how long views of a running orchestrator take from the click to the first paint:
//
//	go run ./internal/test/browser/firstpaint http://127.0.0.1:8080 [view]...
package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
)

func main() {
	rounds := flag.Int("rounds", 20, "how often each view is loaded")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *rounds, flag.Arg(0), flag.Args()[min(1, flag.NArg()):])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "firstpaint:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, server string, views []string) error {
	if _, err := url.ParseRequestURI(server); err != nil || rounds < 1 {
		return fmt.Errorf("want the address of an orchestrator, and one round or more: %w", err)
	}
	if len(views) == 0 {
		views = []string{"/", "/ui/sagas", "/ui/sagas?status=stuck", "/ui/queues", "/ui/definitions", "/ui/dead-letters"}
	}
	b, err := browser.Open(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	for _, view := range views {
		if err := measure(b, rounds, server, view); err != nil {
			return fmt.Errorf("%s: %w", view, err)
		}
	}
	return nil
}

// measure loads a view again and again, and prints the first answer, the median and the slowest of the others.
func measure(b *browser.Browser, rounds int, server, view string) error {
	// The entry of the paint may come after the load.
	const painted = `new Promise(resolve => new PerformanceObserver(list => {
		for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint") resolve(entry.startTime)
	}).observe({type: "paint", buffered: true}))`
	wait := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	tab, err := b.Tab(server, browser.Look{Width: 1280, Height: 900})
	if err != nil {
		return err
	}
	defer tab.Close()
	var first float64
	var others []float64
	for round := range rounds + 1 {
		var took float64
		if err := tab.Do(chromedp.Navigate(server+view), chromedp.Evaluate(painted, &took, wait)); err != nil {
			return err
		}
		if round == 0 {
			first = took
			continue
		}
		others = append(others, took)
	}
	slices.Sort(others)
	fmt.Printf("%-28s first %4.0f ms, then median %4.0f ms, worst %4.0f ms\n", view, first, others[len(others)/2], others[len(others)-1])
	return nil
}
