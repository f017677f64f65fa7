package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/run"
	"github.com/saga-orchestrator/orchestrator/bench/system"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

type runCommand struct {
	system.Place
	Name     string         `arg:"" help:"The system."`
	Variant  system.Variant `enum:"A,B" default:"A" help:"A: all steps succeed. B: the third step fails, two compensations follow."`
	InFlight int            `default:"64" help:"Sagas in flight."`
	Warmup   time.Duration  `default:"1s" help:"Time before the run is measured."`
	Duration time.Duration  `default:"4s" help:"Measured time."`
}

// Run runs the system once and prints its report.
func (c runCommand) Run(ctx context.Context) error {
	e, err := entry(c.Name)
	if err != nil {
		return err
	}
	load := loadtest.Load{InFlight: c.InFlight, Warmup: c.Warmup, Duration: c.Duration}
	report, err := run.Run{Entry: e, Place: c.Place, Variant: c.Variant, Load: load}.Run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

type workCommand struct {
	system.Place
	Name string `arg:"" help:"The system."`
}

// Run answers commands until standard input ends.
func (c workCommand) Run(ctx context.Context) error {
	e, err := entry(c.Name)
	if err != nil {
		return err
	}
	return run.Run{Entry: e, Place: c.Place}.Work(ctx, os.Stdin, os.Stdout)
}
