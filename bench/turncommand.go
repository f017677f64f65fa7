package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/contender"
	"github.com/saga-orchestrator/orchestrator/bench/turn"
	"github.com/saga-orchestrator/orchestrator/internal/measure"
)

type turnCommand struct {
	contender.Place
	Name     string            `arg:"" help:"The contender."`
	Variant  contender.Variant `enum:"A,B" default:"A" help:"A: all steps succeed. B: the third fails, two compensations."`
	InFlight int               `default:"64" help:"Sagas under way at once."`
	Warmup   time.Duration     `default:"1s" help:"Before it is measured."`
	Duration time.Duration     `default:"4s" help:"That is measured."`
}

// Run takes the turn and prints its report.
func (c turnCommand) Run(ctx context.Context) error {
	e, err := entry(c.Name)
	if err != nil {
		return err
	}
	load := measure.Load{InFlight: c.InFlight, Warmup: c.Warmup, Duration: c.Duration}
	report, err := turn.Turn{Entry: e, Place: c.Place, Variant: c.Variant, Load: load}.Run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

type workCommand struct {
	contender.Place
	Name string `arg:"" help:"The contender."`
}

// Run works.
func (c workCommand) Run(ctx context.Context) error {
	e, err := entry(c.Name)
	if err != nil {
		return err
	}
	return turn.Turn{Entry: e, Place: c.Place}.Work(ctx, os.Stdin, os.Stdout)
}
