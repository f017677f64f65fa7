package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/bench/system"
)

type compareCommand struct {
	DatabaseURL  string           `env:"DATABASE_URL" required:"" help:"Postgres; every run creates a database there."`
	AMQPURL      string           `env:"AMQP_URL" required:"" help:"RabbitMQ."`
	Orchestrator string           `default:"bin/orchestrator" help:"Path of the orchestrator under test."`
	Systems      []string         `default:"ours,any-client,one-by-one,naive,dbos,river,roofline" help:"Systems to compare. any-client and one-by-one are ours with a worker of amqp091-go alone; pika is one with Python's pika, which it needs, run from the root of the repository."`
	Variants     []system.Variant `default:"A,B" help:"A: all steps succeed. B: the third step fails, two compensations follow."`
	InFlight     []int            `default:"64,256" help:"Sagas in flight."`
	Payload      int              `help:"Additional bytes of data per saga."`
	OneAtATime   bool             `negatable:"" default:"true" help:"Also run ours, naive and naive-quorum with one saga at a time."`
	Rounds       int              `default:"3" help:"Runs of every system in every cell of the table."`
	Warmup       time.Duration    `default:"1s" help:"Time before a run is measured."`
	Duration     time.Duration    `default:"3s" help:"Measured time of a run."`
	Output       string           `enum:"markdown,json" default:"markdown" help:"Print the table, or all reports."`
	JSON         string           `name:"json" type:"path" help:"Also write all reports to this file."`
}

// Run runs the comparison and prints the table, even if some runs failed.
func (c compareCommand) Run(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	comparison := compare.Comparison{
		Plan: compare.Plan{
			Systems: c.Systems, Variants: c.Variants, InFlight: c.InFlight, OneByOne: c.oneByOne(),
			Rounds: c.Rounds, Warmup: c.Warmup, Duration: c.Duration,
		},
		Servers: compare.Servers{DatabaseURL: c.DatabaseURL, AMQPURL: c.AMQPURL},
		Command: func(name string, cell compare.Cell) (string, []string) {
			if arguments, ours := workersOf(self)[name]; ours {
				return c.Orchestrator, append(append([]string{"bench", "--output", "json"}, arguments...), c.load(cell)...)
			}
			return self, append([]string{"run", name}, c.load(cell)...)
		},
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	result, err := comparison.Run(ctx)
	if len(result.Runs) == 0 {
		return err
	}
	return errors.Join(err, c.print(result))
}

func (c compareCommand) validate() error {
	known := slices.Collect(maps.Keys(workersOf("")))
	for _, e := range entries() {
		known = append(known, e.Name)
	}
	for _, name := range c.Systems {
		if !slices.Contains(known, name) {
			return fmt.Errorf("unknown system %q; want one of %v", name, known)
		}
	}
	for _, variant := range c.Variants {
		if variant != system.Succeeding && variant != system.Compensating {
			return fmt.Errorf("unknown variant %q; want A or B", variant)
		}
	}
	return nil
}

// workersOf returns the flags of `orchestrator bench` for each kind of worker. self is the path of this program.
func workersOf(self string) map[string][]string {
	return map[string][]string{
		compare.Ours:      {},
		compare.AnyClient: {"--worker", self + " plain"},
		compare.OneByOne:  {"--worker", self + " plain --handlers 1"},
		compare.Pika:      {"--worker", "python3 bench/anyclient/worker.py"},
	}
}

// oneByOne returns the systems to run with one saga at a time: those with a broker between the steps, which dominates the
// latency of a lone saga.
func (c compareCommand) oneByOne() []string {
	if !c.OneAtATime {
		return nil
	}
	return slices.DeleteFunc([]string{compare.Ours, "naive", "naive-quorum"}, func(name string) bool { return !slices.Contains(c.Systems, name) })
}

// load returns the flags of a run. `orchestrator bench` takes the same ones.
func (c compareCommand) load(cell compare.Cell) []string {
	return []string{
		"--variant", string(cell.Variant), "--in-flight", strconv.Itoa(cell.InFlight),
		"--warmup", c.Warmup.String(), "--duration", c.Duration.String(), "--payload", strconv.Itoa(c.Payload),
	}
}

func (c compareCommand) print(result compare.Result) error {
	content, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the reports: %w", err)
	}
	if c.JSON != "" {
		if err := os.WriteFile(c.JSON, append(content, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the reports: %w", err)
		}
	}
	if c.Output == "json" {
		_, err := fmt.Println(string(content))
		return err
	}
	return result.WriteMarkdown(os.Stdout)
}
