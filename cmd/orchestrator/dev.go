package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/saga-orchestrator/orchestrator/server"
)

// devCommand is `orchestrator dev`: everything in one process, without Postgres and RabbitMQ.
type devCommand struct {
	File        string `env:"ORCHESTRATOR_FILE" type:"path" help:"File for the state; default: orchestrator/dev.db in the user's cache folder."`
	Fresh       bool   `help:"Delete the state in the file first."`
	Auth        string `default:"none" enum:"keys,none" env:"ORCHESTRATOR_AUTH" help:"Authentication of callers: by API keys, or none."`
	Demo        bool   `env:"ORCHESTRATOR_DEMO" xor:"demo" help:"Show the orchestrator at work: order sagas start by themselves for an hour, their workers run in this process, some sagas fail and some get stuck."`
	Simulate    bool   `xor:"demo" help:"Simulate workers that succeed. The member \"simulate\" in a saga's data, such as {\"charge-payment\": \"card_declined\"}, makes a step fail with that code."`
	Sagas       bool   `default:"true" negatable:"" help:"With --simulate: register the definition order and start a saga every second for an hour. Some of them fail, and some get stuck."`
	serverFlags `embed:""`
}

// AfterApply reads secrets from files.
func (c *devCommand) AfterApply() error { return readFiles(&c.Event) }

// Run serves until a signal ends it.
func (c *devCommand) Run(ctx context.Context, out *streams) error {
	file, err := c.file()
	if err != nil {
		return err
	}
	log, level := c.logger(out)
	defer followHangups(ctx, level, log)()
	config := server.Config{
		File: file, Fresh: c.Fresh, Listen: c.Listen, Auth: c.Auth, Insecure: c.Insecure,
		OverdueAfter: time.Duration(c.OverdueAfter), MaxQueueDepth: int(c.MaxDepth), Version: version, Logger: log,
		BasePath: c.BasePath,
	}
	c.Retain.apply(&config)
	c.Log.apply(&config)
	config.KeyRate = int(c.KeyRate)
	c.Event.apply(&config)
	c.Health.apply(&config)
	c.TLS.apply(&config)
	config.SimulateWorkers, config.Demo = c.Simulate, c.Demo || c.Simulate && c.Sagas
	return serve(ctx, config, func(s *server.Server) {
		url := s.URL()
		fmt.Fprintf(out.out, "serving the page at %s, docs at %s/docs\n", url, url)
		fmt.Fprintf(out.out, "embedded: the state is in %s (--fresh deletes it)\n", file)
		c.announceKey(ctx, out, s)
		c.announceWorkers(out, url, s.DemoStarts(ctx))
		fmt.Fprintln(out.out, "for production: `orchestrator serve` with Postgres and RabbitMQ")
	})
}

// announceKey creates the first key, because without one no call can create it.
func (c *devCommand) announceKey(ctx context.Context, out *streams, s *server.Server) {
	if c.Auth != "keys" {
		return
	}
	secret, err := s.FirstKey(ctx, "dev")
	if secret != "" {
		fmt.Fprintf(out.out, "the first key, an admin's, which is not shown again: %s\n", secret)
	}
	if err != nil {
		fmt.Fprintln(out.err, err)
	}
}

// announceWorkers says who works. demo is false if another definition named order keeps the demo from starting.
func (c *devCommand) announceWorkers(out *streams, url string, demo bool) {
	switch {
	case (c.Demo || c.Simulate && c.Sagas) && !demo:
		fmt.Fprintln(out.out, "no order starts: another definition named order is in the state. Choose another --file, or --fresh")
	case c.Demo:
		fmt.Fprintf(out.out, "an order saga starts every second. Some get stuck: see the page, or `orchestrator stuck --groups --server %s`\n", url)
	case c.Simulate && c.Sagas:
		fmt.Fprintf(out.out, "simulated workers answer every command, and an order saga starts every second: see `orchestrator sagas list --server %s`\n", url)
	case c.Simulate:
		fmt.Fprintln(out.out, "simulated workers answer every command")
	default:
		fmt.Fprintln(out.out, "there are no workers: add --demo or --simulate, or embed the orchestrator as examples/order-saga does")
	}
}

// file returns the path of the state.
func (c *devCommand) file() (string, error) {
	if c.File != "" {
		return c.File, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the state (set --file): %w", err)
	}
	folder := filepath.Join(cache, "orchestrator")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("create a folder for the state: %w", err)
	}
	return filepath.Join(folder, "dev.db"), nil
}
