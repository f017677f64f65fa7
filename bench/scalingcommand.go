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
	Series       []string `arg:"" optional:"" help:"Series to measure; default: all except soak."`
	DatabaseURL  string   `env:"DATABASE_URL" help:"Postgres; the run creates databases there and drops them."`
	AMQPURL      string   `env:"AMQP_URL" help:"RabbitMQ."`
	Orchestrator string   `default:"bin/orchestrator" help:"Path of the orchestrator under test."`
	Out          string   `default:"docs/growth" type:"path" help:"Folder of points, tables and charts. Series that are not measured keep theirs."`
	Redraw       bool     `help:"Write tables and charts of the existing points, without measuring."`
	scaling.Plan `embed:""`
}

// Run measures the series and prints the verdicts. A missed target is not an error.
func (c scalingCommand) Run(ctx context.Context) error {
	names := c.Series
	for _, name := range names {
		if !slices.Contains(scaling.Names(), name) {
			return fmt.Errorf("unknown series %q; want one of %v", name, scaling.Names())
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
