package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/bench/scaling"
)

type scalingCommand struct {
	Series       []string `arg:"" optional:"" help:"What is to grow; none: everything but soak."`
	DatabaseURL  string   `env:"DATABASE_URL" help:"Postgres; databases are made there for the run, and dropped."`
	AMQPURL      string   `env:"AMQP_URL" help:"RabbitMQ."`
	Orchestrator string   `default:"bin/orchestrator" help:"The program."`
	Out          string   `default:"docs/growth" type:"path" help:"Folder for points, tables and pictures; what is not measured now stays as it is."`
	Redraw       bool     `help:"Measure nothing: write tables and pictures of the points that are there."`
	scaling.Plan `embed:""`
}

// Run measures, and prints what came of it. That something is slow is no error.
func (c scalingCommand) Run(ctx context.Context) error {
	names := c.Series
	for _, name := range names {
		if !slices.Contains(scaling.Names(), name) {
			return fmt.Errorf("no series %q; there are %v", name, scaling.Names())
		}
	}
	if len(names) == 0 {
		names = slices.DeleteFunc(scaling.Names(), func(name string) bool { return name == "soak" })
	}
	g := scaling.Growth{
		Plan: c.Plan, Servers: compare.Servers{DatabaseURL: c.DatabaseURL, AMQPURL: c.AMQPURL}, Orchestrator: c.Orchestrator,
		Folder: c.Out, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if c.Redraw {
		return g.Redraw()
	}
	return g.Run(ctx, names, func(line string) { fmt.Println(line) })
}
