package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
	"github.com/saga-orchestrator/orchestrator/bench/system"
)

type compareCommand struct {
	DatabaseURL  string           `env:"DATABASE_URL" required:"" help:"Postgres; every run has a database of its own there."`
	AMQPURL      string           `env:"AMQP_URL" required:"" help:"RabbitMQ."`
	Orchestrator string           `default:"bin/orchestrator" help:"The program that takes the runs of ours."`
	Systems      []string         `default:"ours,naive,dbos,river,roofline" help:"Who is compared."`
	Variants     []system.Variant `default:"A,B" help:"A: all steps succeed. B: the third fails, two compensations."`
	InFlight     []int            `default:"64,256" help:"Sagas under way at once."`
	OneAtATime   bool             `negatable:"" default:"true" help:"Also ours and naive with one saga at a time."`
	Rounds       int              `default:"3" help:"Runs of everyone, for everything."`
	Warmup       time.Duration    `default:"1s" help:"Of a run, before it is measured."`
	Duration     time.Duration    `default:"3s" help:"Of a run, that is measured."`
	Output       string           `enum:"markdown,json" default:"markdown" help:"The table, or every report."`
	JSON         string           `name:"json" type:"path" help:"A file for every report, beside the table."`
}

// Run gives everyone their runs and prints the table, also when runs have failed.
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
			if name == compare.Ours {
				return c.Orchestrator, append([]string{"bench", "--output", "json"}, c.load(cell)...)
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
	known := []string{compare.Ours}
	for _, e := range entries() {
		known = append(known, e.Name)
	}
	for _, name := range c.Systems {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no system %q; there are %v", name, known)
		}
	}
	for _, variant := range c.Variants {
		if variant != system.Succeeding && variant != system.Compensating {
			return fmt.Errorf("no variant %q; there are A and B", variant)
		}
	}
	return nil
}

// oneByOne are those for whom the latency of a saga alone says something: they have a broker between the steps.
func (c compareCommand) oneByOne() []string {
	if !c.OneAtATime {
		return nil
	}
	return slices.DeleteFunc([]string{compare.Ours, "naive"}, func(name string) bool { return !slices.Contains(c.Systems, name) })
}

// load is what a run is asked for; the orchestrator's own benchmark takes the same flags.
func (c compareCommand) load(cell compare.Cell) []string {
	return []string{
		"--variant", string(cell.Variant), "--in-flight", strconv.Itoa(cell.InFlight),
		"--warmup", c.Warmup.String(), "--duration", c.Duration.String(),
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
