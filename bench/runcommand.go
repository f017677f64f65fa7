package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/anyclient"
	"github.com/saga-orchestrator/orchestrator/bench/run"
	"github.com/saga-orchestrator/orchestrator/bench/system"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

type runCommand struct {
	system.Place
	Name     string         `arg:"" help:"The system."`
	Variant  system.Variant `enum:"A,B" default:"A" help:"A: all steps succeed. B: the third step fails, two compensations follow."`
	InFlight int            `default:"64" help:"Sagas in flight."`
	Payload  int            `help:"Additional bytes of data per saga."`
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
	report, err := run.Run{Entry: e, Place: c.Place, Variant: c.Variant, Payload: c.Payload, Load: load}.Run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

type workCommand struct {
	system.Place
	Name string `arg:"" help:"The system."`
}

type plainCommand struct {
	AMQPURL string `env:"AMQP_URL" required:"" help:"RabbitMQ."`
	Prefix  string `env:"AMQP_PREFIX" default:"bench" help:"Prefix of all names on RabbitMQ."`

	Handlers int `default:"32" help:"Commands of each queue that are handled at a time, as in naive. 1: a worker that waits for each confirm before it takes the next command."`
}

// Run answers commands until a signal ends it.
func (c plainCommand) Run(ctx context.Context) error {
	return anyclient.Work(ctx, c.AMQPURL, c.Prefix, c.Handlers, os.Stdout)
}

// Run answers commands until standard input ends.
func (c workCommand) Run(ctx context.Context) error {
	e, err := entry(c.Name)
	if err != nil {
		return err
	}
	return run.Run{Entry: e, Place: c.Place}.Work(ctx, os.Stdin, os.Stdout)
}
