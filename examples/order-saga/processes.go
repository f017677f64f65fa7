package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// runAll runs the orchestrator and the three services in this process, and shows the three orders.
func runAll(ctx context.Context, o options, out io.Writer) (err error) {
	if o.state == "" {
		if o.state, err = os.MkdirTemp("", "order-saga-"); err != nil {
			return fmt.Errorf("create the directory of the state: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.state)) }() //nolint:gosec // a directory that this program made
	} else if err := os.MkdirAll(o.state, 0o700); err != nil {
		return fmt.Errorf("create the directory of the state: %w", err)
	}
	config := server.Config{
		DatabaseURL: o.databaseURL, AMQPURL: o.amqpURL, AMQPPrefix: o.amqpPrefix, Migrate: true,
		Listen: o.listen, Auth: "none", Version: "example", Logger: quiet(),
	}
	if o.databaseURL == "" {
		config.File = filepath.Join(o.state, "orchestrator.db")
	}
	orchestrator, err := server.Open(ctx, config)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var parts sync.WaitGroup
	var ended error
	parts.Go(func() { ended = orchestrator.Run(running) })
	workers, stopWorkers := context.WithCancel(ctx)
	defer stopWorkers()
	working, err := startWorkers(workers, o, services(), orchestrator.Transport())
	if err == nil {
		announce(out, o, orchestrator.URL())
		err = show(ctx, client.New(client.Config{Server: orchestrator.URL()}), out)
	}
	if err == nil && o.serve {
		fmt.Fprintf(out, "\nStill serving %s until you press Ctrl-C.\n", orchestrator.URL())
		<-ctx.Done()
	}
	stopWorkers()
	working.Wait()
	stop()
	parts.Wait()
	return errors.Join(err, ended)
}

// showAgainst shows the three orders with an orchestrator and workers in other processes.
func showAgainst(ctx context.Context, o options, out io.Writer) error {
	fmt.Fprintf(out, "Orchestrator at %s, workers in their own processes.\n", o.server)
	return show(ctx, client.New(client.Config{Server: o.server, Key: o.key}), out)
}

// runWorker runs one service in this process.
func runWorker(ctx context.Context, o options, out io.Writer) error {
	if o.databaseURL == "" || o.amqpURL == "" {
		return errors.New("a worker process needs --database-url and --amqp-url")
	}
	if !slices.Contains(services(), o.only) {
		return fmt.Errorf("--service %q: want one of %s", o.only, strings.Join(services(), ", "))
	}
	broker := steps.AMQP(steps.AMQPConfig{URL: o.amqpURL, Prefix: o.amqpPrefix, Logger: quiet()})
	working, err := startWorkers(ctx, o, []string{o.only}, broker)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is working\n", o.only)
	working.Wait()
	return nil
}

// startWorkers runs the services until ctx ends. The group waits for them.
func startWorkers(ctx context.Context, o options, asked []string, transport steps.Transport) (*sync.WaitGroup, error) {
	var working sync.WaitGroup
	for _, service := range asked {
		serve, closeLedger, err := o.service(ctx, service)
		if err != nil {
			return &working, err
		}
		working.Go(func() {
			defer closeLedger()
			if err := serve(transport); err != nil {
				fmt.Fprintf(os.Stderr, "%s stopped: %v\n", service, err)
			}
		})
	}
	return &working, nil
}

// service opens the ledger of a service, in Postgres or in a file. serve then executes the commands of its steps.
func (o options) service(ctx context.Context, name string) (serve func(steps.Transport) error, closeLedger func(), err error) {
	common := []steps.ServeOption{steps.Only(name), steps.WithConfig(steps.Config{Logger: quiet()})}
	trouble := steps.WithMiddleware(o.trouble.around(name))
	if o.databaseURL != "" {
		ledger, err := openPostgresLedger(ctx, o.databaseURL)
		if err != nil {
			return nil, nil, err
		}
		return func(transport steps.Transport) error {
			return orderSagaTx().Serve(ctx, transport, append(common, steps.WithBarrier(ledger.barrier), trouble)...)
		}, ledger.pool.Close, nil
	}
	ledger, err := openFileLedger(o.state, name)
	if err != nil {
		return nil, nil, err
	}
	return func(transport steps.Transport) error {
		return orderSaga().Serve(ctx, transport, append(common, steps.WithMiddleware(ledger.once), trouble)...)
	}, func() { _ = ledger.file.Close() }, nil // every line is synced when it is written
}

func announce(out io.Writer, o options, url string) {
	if o.databaseURL != "" {
		fmt.Fprintf(out, "Orchestrator with Postgres and RabbitMQ in this process; REST API at %s\n", url)
		return
	}
	fmt.Fprintf(out, "Embedded orchestrator; REST API at %s, state in %s\n", url, o.state)
}

// quiet logs only warnings, so that the timeline stays readable.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}
