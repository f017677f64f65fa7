package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/saga-orchestrator/orchestrator/server"
)

// devCommand is `orchestrator dev`: everything in one process, nothing to install.
type devCommand struct {
	File        string `env:"ORCHESTRATOR_FILE" type:"path" help:"File that keeps the state; default: orchestrator/dev.db in the user's cache folder."`
	Fresh       bool   `help:"Forget what the file holds."`
	Auth        string `default:"none" enum:"keys,none" env:"ORCHESTRATOR_AUTH" help:"Who may call: holders of keys, or everyone."`
	Simulate    bool   `help:"Answer every command in this process, as if its worker had succeeded. A member \"simulate\" of a saga's data, such as {\"charge-payment\": \"card_declined\"}, makes steps fail with that code."`
	Sagas       bool   `default:"true" negatable:"" help:"With --simulate: define the saga order and start one every second, for an hour; some fail, some get stuck."`
	serverFlags `embed:""`
}

// Run serves until it is told to end.
func (c *devCommand) Run(ctx context.Context, out *streams) error {
	file, err := c.file()
	if err != nil {
		return err
	}
	config := server.Config{
		File: file, Fresh: c.Fresh, Listen: c.Listen, Auth: c.Auth, Insecure: c.Insecure,
		OverdueAfter: time.Duration(c.OverdueAfter), MaxQueueDepth: int(c.MaxDepth), Version: version, Logger: c.logger(out),
	}
	config.SimulateWorkers, config.Demo = c.Simulate, c.Simulate && c.Sagas
	return serve(ctx, config, func(url string) {
		fmt.Fprintf(out.out, "serving %s, docs at %s/docs\n", url, url)
		fmt.Fprintf(out.out, "embedded: the state is in %s (--fresh forgets it)\n", file)
		if c.Simulate {
			fmt.Fprintln(out.out, "every command is answered here, as if its worker had succeeded")
			if c.Sagas {
				fmt.Fprintf(out.out, "an order saga starts every second: see `orchestrator sagas list --server %s`\n", url)
			}
		} else {
			fmt.Fprintln(out.out, "workers run only inside this process; to see sagas move, add --simulate, or embed it as examples/order-saga does")
		}
		fmt.Fprintln(out.out, "for real work: `orchestrator serve`, with Postgres and RabbitMQ")
	})
}

// file is where the state is kept.
func (c *devCommand) file() (string, error) {
	if c.File != "" {
		return c.File, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for the state, name one by --file: %w", err)
	}
	folder := filepath.Join(cache, "orchestrator")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for the state: %w", err)
	}
	return filepath.Join(folder, "dev.db"), nil
}
