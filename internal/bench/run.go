package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

const (
	readyPatience = 30 * time.Second // for what was started for the run, and for workers
	givenPatience = 5 * time.Second  // for a server that should be there
	askAgain      = 50 * time.Millisecond
)

// Run puts the load on the orchestrator and reports. Its error means that there is no report to trust; sagas that failed
// are in the report, and the first of them is told by Say.
func (o Options) Run(ctx context.Context) (report loadtest.Report, err error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return report, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	a, err := o.open(ctx)
	defer func() {
		cancel(nil)
		err = errors.Join(err, a.close(ctx))
	}()
	if err != nil {
		return report, err
	}
	if err := a.prepare(ctx); err != nil {
		return report, err
	}
	a.watch(ctx, cancel)
	return a.load(ctx)
}

// prepare registers the definition, starts the workers and waits until they are there.
func (a *arena) prepare(ctx context.Context) error {
	body, err := json.Marshal(a.options.Scenario.definition())
	if err != nil {
		return fmt.Errorf("encode the definition: %w", err)
	}
	// Closed afterwards: what it holds open is none of the load's.
	connections := &http.Client{Transport: &http.Transport{}}
	defer connections.CloseIdleConnections()
	first := client.New(client.Config{Server: a.servers[0], Key: a.options.Key, HTTP: connections})
	patience := readyPatience
	if a.options.Server != "" {
		patience = givenPatience
	}
	for _, server := range a.servers {
		c := client.New(client.Config{Server: server, Key: a.options.Key, HTTP: connections})
		err := await(ctx, patience, "the orchestrator is ready", func() (bool, error) { return ready(ctx, c) })
		if err != nil {
			return err
		}
	}
	if _, err := first.PutDefinition(ctx, definitionName, body); err != nil {
		return fmt.Errorf("register the definition: %w", err)
	}
	if err := a.startWorker(ctx); err != nil {
		return err
	}
	return await(ctx, readyPatience, "every queue has a worker", func() (bool, error) { return served(ctx, first, a.options.Scenario) })
}

func ready(ctx context.Context, c *client.Client) (bool, error) {
	health, err := c.Ready(ctx)
	if err == nil && health.Status != "ok" {
		err = fmt.Errorf("it says %s: %v", health.Status, health.Checks)
	}
	return err == nil, err
}

// served says whether every queue that the scenario needs has a consumer.
func served(ctx context.Context, c *client.Client, scenario Scenario) (bool, error) {
	list, err := c.Queues(ctx)
	if err != nil {
		return false, err
	}
	consumers := make(map[string]int)
	for _, queue := range list.Items {
		if queue.Consumers != nil {
			consumers[queue.Name] = *queue.Consumers
		}
	}
	for _, queue := range scenario.definition().Queues() {
		if consumers[queue] == 0 {
			return false, fmt.Errorf("queue %s has no consumer", queue)
		}
	}
	return true, nil
}

// await asks again and again until the answer is yes, or a refusal that will not change.
func await(ctx context.Context, patience time.Duration, what string, ask func() (bool, error)) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		yes, err := ask()
		if yes {
			return nil
		}
		if refusal, is := errors.AsType[*client.Problem](err); is && refusal.Status < http.StatusInternalServerError {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("wait until %s: not within %s: %w", what, patience, err)
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		}
	}
}

// load drives the load and measures.
func (a *arena) load(ctx context.Context) (loadtest.Report, error) {
	load := a.options.Load.WithDefaults()
	caller, err := newCaller(a.servers, a.options.Key, load.InFlight, a.options.Scenario)
	if err != nil {
		return loadtest.Report{}, err
	}
	defer caller.close()
	var usage loadtest.Usage
	var before, after counters
	var unread error // of the metrics, without which there still is a report
	load.Begin = func(ctx context.Context) error {
		before, unread = scrape(ctx, caller.metrics, a.servers)
		return a.meter.Begin(ctx)
	}
	load.End = func(ctx context.Context) (err error) {
		if unread == nil {
			after, unread = scrape(ctx, caller.metrics, a.servers)
		}
		usage, err = a.meter.End(ctx)
		return err
	}
	a.options.say("%s; warm-up %s, then %s", a.options.Scenario.variant(), load.Warmup, load.Duration)
	var told tally
	outcome, err := load.Drive(ctx, told.count(caller.one, caller.fails))
	if err == nil && a.own && outcome.Failed == 0 {
		err = told.verify(ctx, a.meter.Postgres)
	}
	if err != nil {
		return loadtest.Report{}, err
	}
	report := loadtest.NewReport("orchestrator", a.options.Scenario.variant(), load, outcome, usage)
	if unread == nil {
		after.describe(before, &report)
	} else {
		a.options.say("messages and batches are not known: %v", unread)
	}
	if outcome.Failed > 0 {
		a.options.say("%d sagas failed, the first: %v", outcome.Failed, outcome.Failure)
	}
	return report, nil
}

// announced finds the URL in the line by which an orchestrator says where it serves.
func announced(line string) (address string, found bool) {
	_, rest, found := strings.Cut(line, "http://")
	host, _, _ := strings.Cut(rest, ",")
	return "http://" + strings.TrimSpace(host), found
}
