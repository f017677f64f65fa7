package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/bench"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// benchCommand is `orchestrator bench`.
type benchCommand struct {
	DatabaseURL string `env:"DATABASE_URL" help:"Postgres to start an orchestrator on, in a database that is made for the run and dropped afterwards. With --server: that server's own, which is only looked at."`
	AMQPURL     string `name:"amqp-url" env:"AMQP_URL" help:"RabbitMQ for that orchestrator, under a prefix that is removed afterwards. With --server: that server's own, where the workers are started."`
	Embedded    bool   `help:"Start an embedded orchestrator, which needs neither and simulates the workers."`
	Server      string `help:"URL of an orchestrator that is there, instead of one that is started; its sagas stay there."`
	Key         string `env:"ORCHESTRATOR_KEY" help:"API key for --server, of an admin: the load's definition is registered."`
	AMQPPrefix  string `name:"amqp-prefix" default:"saga" env:"AMQP_PREFIX" help:"Prefix of --server, for the workers."`
	QueueType   string `default:"quorum" enum:"quorum,classic" env:"ORCHESTRATOR_QUEUE_TYPE" help:"Kind of the queues of an orchestrator that is started."`
	Replicas    int    `default:"1" help:"How many processes serve, with the load spread over them."`

	Variant  string  `default:"A" enum:"A,B" help:"A: all sagas succeed. B: the last step of each fails for good, and what went before is compensated."`
	FailRate float64 `help:"Share of sagas, 0 to 1, whose last step fails for good; B is 1."`
	Steps    int     `default:"3" help:"Steps of each saga, one after the other."`
	Parallel bool    `help:"All steps at once instead."`
	Payload  int     `help:"Bytes of data that each saga carries."`

	InFlight    int           `help:"Sagas under way at a time. Closed loop: exactly so many (64). Open loop: at most (500)."`
	Rate        float64       `help:"Open loop: begin so many sagas per second, however long they take. Latencies count from when a saga should have begun."`
	Warmup      time.Duration `default:"3s" help:"How long the load runs before it is measured."`
	Duration    time.Duration `default:"10s" help:"How long it is measured."`
	Concurrency int           `default:"64" help:"Commands that each of the three workers does at the same time."`

	Output string `default:"text" enum:"text,json" help:"text for people; json has the same figures under names that stay."`
}

// Run puts the load on, and is a failure when a saga did not end as it should.
func (c *benchCommand) Run(ctx context.Context, out *streams) error {
	tune()
	options, err := c.options()
	if err != nil {
		return err
	}
	show := newProgress(out, c.Warmup, c.Duration)
	options.Load.Progress, options.Say = show.update, show.say
	report, err := options.Run(ctx)
	show.clear()
	if err != nil {
		return err
	}
	if err := c.print(report, out); err != nil {
		return err
	}
	if report.Failed > 0 {
		return fmt.Errorf("%d sagas did not end as they should", report.Failed)
	}
	return nil
}

func (c *benchCommand) options() (bench.Options, error) {
	executable, err := os.Executable()
	if err != nil {
		return bench.Options{}, fmt.Errorf("find the program to start an orchestrator with: %w", err)
	}
	failRate := c.FailRate
	switch {
	case c.Variant == "B" && failRate != 0:
		return bench.Options{}, usage("--variant B and --fail-rate are two ways to say how many fail")
	case c.Variant == "B":
		failRate = 1
	}
	if err := c.checkNumbers(); err != nil {
		return bench.Options{}, err
	}
	options := bench.Options{
		Executable: executable, DatabaseURL: c.DatabaseURL, AMQPURL: c.AMQPURL, AMQPPrefix: c.AMQPPrefix,
		Server: c.Server, Key: c.Key, Embedded: c.Embedded, Replicas: c.Replicas, QueueType: c.QueueType, Concurrency: c.Concurrency,
		Scenario: bench.Scenario{Steps: c.Steps, Parallel: c.Parallel, FailRate: failRate, Payload: c.Payload},
		Load:     loadtest.Load{InFlight: c.InFlight, Rate: c.Rate, Warmup: c.Warmup, Duration: c.Duration},
	}
	if err := options.Validate(); err != nil {
		return bench.Options{}, usageError{err}
	}
	return options, nil
}

// Limits of a load.
const (
	maxConcurrency = 10_000
	maxInFlight    = 1_000_000
	maxRate        = 1_000_000
	maxReplicas    = 100
	maxLoad        = 30 * 24 * time.Hour
)

// checkNumbers names the first flag that is out of its limits.
func (c *benchCommand) checkNumbers() error {
	switch {
	case c.InFlight < 0 || c.InFlight > maxInFlight:
		return usage("--in-flight must be 0 to %d", maxInFlight)
	case !(c.Rate >= 0 && c.Rate <= maxRate): // NaN is neither
		return usage("--rate must be 0 to %d", maxRate)
	case c.Warmup < 0 || c.Warmup > maxLoad:
		return usage("--warmup must be 0s to %s", maxLoad)
	case c.Duration <= 0 || c.Duration > maxLoad:
		return usage("--duration must be more than 0s, and at most %s", maxLoad)
	case c.Replicas < 1 || c.Replicas > maxReplicas:
		return usage("--replicas must be 1 to %d", maxReplicas)
	case c.Concurrency < 1 || c.Concurrency > maxConcurrency:
		return usage("--concurrency must be 1 to %d", maxConcurrency)
	default:
		return nil
	}
}

func (c *benchCommand) print(report loadtest.Report, out *streams) error {
	if c.Output == "text" {
		return report.WriteText(out.out)
	}
	encoder := json.NewEncoder(out.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// benchWorkerCommand is `orchestrator bench-worker`: what bench starts, or a person on another machine.
type benchWorkerCommand struct {
	AMQPURL     string `required:"" name:"amqp-url" env:"AMQP_URL" help:"RabbitMQ that brings the commands."`
	AMQPPrefix  string `name:"amqp-prefix" default:"saga" env:"AMQP_PREFIX" help:"Prefix of all names on RabbitMQ."`
	Concurrency int    `default:"64" help:"Commands that each of the three workers does at the same time."`
}

// Run works until it is told to end.
func (c *benchWorkerCommand) Run(ctx context.Context, out *streams) error {
	config := rabbit.Config{URL: c.AMQPURL, Prefix: c.AMQPPrefix}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	if c.Concurrency < 1 || c.Concurrency > maxConcurrency {
		return usage("--concurrency must be 1 to %d", maxConcurrency)
	}
	// What fails, fails because the load asks for it: no line of log for each.
	log := slog.New(slog.NewTextHandler(out.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	tune()
	fmt.Fprintln(out.out, "working")
	err := bench.Work(ctx, steps.AMQP(steps.AMQPConfig{URL: c.AMQPURL, Prefix: c.AMQPPrefix, Logger: log}), c.Concurrency, log)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
