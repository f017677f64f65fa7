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
	readyPatience = 30 * time.Second // for processes that were started for the run
	givenPatience = 5 * time.Second  // for an existing server
	askAgain      = 50 * time.Millisecond
)

// Run puts the load on the orchestrator and returns the report. If it returns an error, the report is invalid. Failed sagas
// are not errors: the report counts them, and Say is called with the first failure.
func (o Options) Run(ctx context.Context) (report loadtest.Report, err error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return report, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	d, err := o.open(ctx)
	defer func() {
		cancel(nil)
		err = errors.Join(err, d.close(ctx))
	}()
	if err != nil {
		return report, err
	}
	if err := d.prepare(ctx); err != nil {
		return report, err
	}
	d.watch(ctx, cancel)
	return d.load(ctx)
}

// prepare registers the definition, starts the workers and waits until every queue has a consumer.
func (d *deployment) prepare(ctx context.Context) error {
	body, err := json.Marshal(d.options.Scenario.definition())
	if err != nil {
		return fmt.Errorf("encode the definition: %w", err)
	}
	// Closed before the load begins, so that the load can use every connection.
	connections := &http.Client{Transport: &http.Transport{}}
	defer connections.CloseIdleConnections()
	first := client.New(client.Config{Server: d.servers[0], Key: d.options.Key, HTTP: connections})
	patience := readyPatience
	if d.options.Server != "" {
		patience = givenPatience
	}
	for _, server := range d.servers {
		c := client.New(client.Config{Server: server, Key: d.options.Key, HTTP: connections})
		err := await(ctx, patience, "the orchestrator is ready", func() (bool, error) { return ready(ctx, c) })
		if err != nil {
			return err
		}
	}
	if _, err := first.PutDefinition(ctx, definitionName, body); err != nil {
		return fmt.Errorf("register the definition: %w", err)
	}
	if err := d.startWorker(ctx); err != nil {
		return err
	}
	return await(ctx, readyPatience, "every queue has a worker", func() (bool, error) { return served(ctx, first, d.options.Scenario) })
}

func ready(ctx context.Context, c *client.Client) (bool, error) {
	health, err := c.Ready(ctx)
	if err == nil && health.Status != "ok" {
		err = fmt.Errorf("its status is %s: %v", health.Status, health.Checks)
	}
	return err == nil, err
}

// served reports whether every queue of the scenario has a consumer.
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

// await polls until ask returns true, or a client error (4xx), which will not change.
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

// load drives the load and measures it.
func (d *deployment) load(ctx context.Context) (loadtest.Report, error) {
	load := d.options.Load.WithDefaults()
	caller, err := newCaller(d.servers, d.options.Key, load.InFlight, d.options.Scenario)
	if err != nil {
		return loadtest.Report{}, err
	}
	defer caller.close()
	var usage loadtest.Usage
	var before, after counters
	var unread error // the metrics could not be read; the report is still valid
	load.Begin = func(ctx context.Context) error {
		before, unread = scrape(ctx, caller.metrics, d.servers)
		return d.meter.Begin(ctx)
	}
	load.End = func(ctx context.Context) (err error) {
		if unread == nil {
			after, unread = scrape(ctx, caller.metrics, d.servers)
		}
		usage, err = d.meter.End(ctx)
		return err
	}
	d.options.say("%s; warm-up %s, then %s", d.options.Scenario.variant(), load.Warmup, load.Duration)
	var ended tally
	outcome, err := load.Drive(ctx, ended.count(caller.one, caller.fails))
	if err == nil && d.own && outcome.Failed == 0 {
		err = ended.verify(ctx, d.meter.Postgres)
	}
	if err != nil {
		return loadtest.Report{}, err
	}
	report := loadtest.NewReport("orchestrator", d.options.Scenario.variant(), load, outcome, usage)
	if unread == nil {
		after.describe(before, &report)
	} else {
		d.options.say("messages and batches are unknown: %v", unread)
	}
	if outcome.Failed > 0 {
		d.options.say("%d sagas failed, the first: %v", outcome.Failed, outcome.Failure)
	}
	return report, nil
}

// announced returns the URL in the line that an orchestrator prints when it serves.
func announced(line string) (address string, found bool) {
	_, rest, found := strings.Cut(line, "http://")
	host, _, _ := strings.Cut(rest, ",")
	return "http://" + strings.TrimSpace(host), found
}
