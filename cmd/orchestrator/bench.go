package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/bench"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// benchCommand is `orchestrator bench`.
type benchCommand struct {
	DatabaseURL string `env:"DATABASE_URL" help:"Postgres server for the orchestrator to start. The run creates a database and drops it afterwards. With --server: the database of that server, which is only read."`
	AMQPURL     string `name:"amqp-url" env:"AMQP_URL" help:"RabbitMQ for the orchestrator to start. The run uses a prefix and removes it afterwards. With --server: the RabbitMQ of that server, for the workers."`
	Embedded    bool   `help:"Start an embedded orchestrator with simulated workers, without Postgres and RabbitMQ."`
	Server      string `help:"URL of a running orchestrator to use instead of starting one. The sagas of the run remain there."`
	Key         string `env:"ORCHESTRATOR_KEY" help:"API key for --server with the role admin, which is needed to register the definition."`
	AMQPPrefix  string `name:"amqp-prefix" default:"saga" env:"AMQP_PREFIX" help:"Prefix of --server, for the workers."`
	QueueType   string `default:"quorum" enum:"quorum,classic" env:"ORCHESTRATOR_QUEUE_TYPE" help:"Queue type of the orchestrator to start."`
	Replicas    int    `default:"1" help:"Number of orchestrator processes, which share the load."`

	Variant  string  `default:"A" enum:"A,B" help:"A: all sagas succeed. B: the last step of each saga fails, and the steps before it are compensated."`
	FailRate float64 `help:"Fraction of sagas, 0 to 1, whose last step fails; variant B is 1."`
	Steps    int     `default:"3" help:"Steps of each saga, in sequence."`
	Parallel bool    `help:"Run the steps of a saga in parallel."`
	Payload  int     `help:"Bytes of data in each saga."`

	InFlight    int           `help:"Number of concurrent sagas. Closed loop: exactly this many, default 64. Open loop: at most this many, default 500."`
	Rate        float64       `help:"Open loop: sagas to start per second, however long they take. Latencies count from the intended start."`
	Warmup      time.Duration `default:"3s" help:"Duration of the load before the measurement."`
	Duration    time.Duration `default:"10s" help:"Duration of the measurement."`
	Concurrency int           `default:"64" help:"Concurrent commands of each of the three workers."`
	Worker      string        `help:"Program, with arguments, that answers the commands instead of bench-worker. It finds AMQP_URL and AMQP_PREFIX in its environment, and prints a line once it runs."`

	Output string `default:"text" enum:"text,json" help:"text, or json with the same figures under stable names."`
}

// Run runs the load. It fails if a saga did not end as expected.
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
		return fmt.Errorf("%d sagas did not end as expected", report.Failed)
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
		return bench.Options{}, usage("--variant B and --fail-rate exclude each other")
	case c.Variant == "B":
		failRate = 1
	}
	if err := c.checkNumbers(); err != nil {
		return bench.Options{}, err
	}
	options := bench.Options{
		Executable: executable, DatabaseURL: c.DatabaseURL, AMQPURL: c.AMQPURL, AMQPPrefix: c.AMQPPrefix,
		Server: c.Server, Key: c.Key, Embedded: c.Embedded, Replicas: c.Replicas, QueueType: c.QueueType, Concurrency: c.Concurrency, Worker: strings.Fields(c.Worker),
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

// checkNumbers returns an error for the first flag outside its limits.
func (c *benchCommand) checkNumbers() error {
	switch {
	case c.InFlight < 0 || c.InFlight > maxInFlight:
		return usage("--in-flight must be 0 to %d", maxInFlight)
	case !(c.Rate >= 0 && c.Rate <= maxRate): // false for NaN
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

// benchWorkerCommand is `orchestrator bench-worker`, which bench starts, or an operator on another machine.
type benchWorkerCommand struct {
	AMQPURL     string `required:"" name:"amqp-url" env:"AMQP_URL" help:"RabbitMQ that delivers the commands."`
	AMQPPrefix  string `name:"amqp-prefix" default:"saga" env:"AMQP_PREFIX" help:"Prefix of all names on RabbitMQ."`
	Concurrency int    `default:"64" help:"Concurrent commands of each of the three workers."`
}

// Run works until a signal ends it.
func (c *benchWorkerCommand) Run(ctx context.Context, out *streams) error {
	config := rabbit.Config{URL: c.AMQPURL, Prefix: c.AMQPPrefix}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	if c.Concurrency < 1 || c.Concurrency > maxConcurrency {
		return usage("--concurrency must be 1 to %d", maxConcurrency)
	}
	// The load makes steps fail on purpose, so failures are not logged.
	log := slog.New(slog.NewTextHandler(out.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	tune()
	fmt.Fprintln(out.out, "working")
	err := bench.Work(ctx, steps.AMQP(steps.AMQPConfig{URL: c.AMQPURL, Prefix: c.AMQPPrefix, Logger: log}), c.Concurrency, log)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
