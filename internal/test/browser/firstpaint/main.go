// Command firstpaint measures how long views of a running orchestrator take from the request to the first paint, in a browser
// that has seen the page before, and in new ones:
//
//	go run ./internal/test/browser/firstpaint [-rounds 20] [-new 5] http://127.0.0.1:8080 [view]...
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
	rounds := flag.Int("rounds", 20, "how often each view is loaded by the same browser")
	fresh := flag.Int("new", 5, "how many new browsers load each view as their first page")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *rounds, *fresh, flag.Arg(0), flag.Args()[min(1, flag.NArg()):])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "firstpaint:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds, fresh int, server string, views []string) error {
	if _, err := url.ParseRequestURI(server); err != nil || rounds < 1 || fresh < 1 {
		return fmt.Errorf("want the address of an orchestrator, one round and one new browser or more: %w", err)
	}
	if len(views) == 0 {
		views = []string{"/", "/ui/sagas", "/ui/sagas?status=stuck", "/ui/queues", "/ui/definitions", "/ui/dead-letters"}
	}
	for _, view := range views {
		first, err := loads(ctx, fresh, 1, server+view)
		if err != nil {
			return fmt.Errorf("%s: %w", view, err)
		}
		again, err := loads(ctx, 1, rounds+1, server+view)
		if err != nil {
			return fmt.Errorf("%s: %w", view, err)
		}
		fmt.Printf("%-28s new browser: %s; again: %s\n", view, first, again[1:])
	}
	return nil
}

// load is when a load got its first byte, and when it painted, in milliseconds since the request.
type load struct{ Answered, Painted float64 }

// sample is a number of loads, of which it prints the medians and the slowest.
type sample []load

func (s sample) String() string {
	answered, painted := make([]float64, len(s)), make([]float64, len(s))
	for i, one := range s {
		answered[i], painted[i] = one.Answered, one.Painted
	}
	slices.Sort(answered)
	slices.Sort(painted)
	return fmt.Sprintf("answered %3.0f ms, painted %3.0f ms, slowest %3.0f ms", answered[len(s)/2], painted[len(s)/2], painted[len(s)-1])
}

// loads opens browsers one after the other, each of which loads the address a number of times.
func loads(ctx context.Context, browsers, rounds int, address string) (sample, error) {
	// The entry of the paint may come after the load.
	const measure = `new Promise(resolve => new PerformanceObserver(list => {
		for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint")
			resolve({Answered: performance.getEntriesByType("navigation")[0].responseStart, Painted: entry.startTime})
	}).observe({type: "paint", buffered: true}))`
	wait := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	var all sample
	for range browsers {
		b, err := browser.Open(ctx)
		if err != nil {
			return nil, err
		}
		tab, err := b.Tab(address, browser.Look{Width: 1280, Height: 900})
		for range rounds {
			var one load
			if err == nil {
				err = tab.Do(chromedp.Navigate(address), chromedp.Evaluate(measure, &one, wait))
			}
			all = append(all, one)
		}
		b.Close()
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
