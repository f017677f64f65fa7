// Command bench compares the saga orchestrator with other systems that do the same work on the same machine, in turns.
//
//	bench compare            run every system and print the table
//	bench growth             measure the orchestrator while one dimension grows, with charts
//	bench run naive          run one system once, in this process
//	bench work naive         run a system's worker process
//	bench plain              run a worker of the orchestrator that uses no code of its SDK
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/saga-orchestrator/orchestrator/bench/dbos"
	"github.com/saga-orchestrator/orchestrator/bench/naive"
	"github.com/saga-orchestrator/orchestrator/bench/river"
	"github.com/saga-orchestrator/orchestrator/bench/roofline"
	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// entries returns the systems that run in this program. The orchestrator runs in its own.
func entries() []system.Entry {
	return append(naive.Entries(), dbos.Entry(), river.Entry(), roofline.Entry())
}

type commands struct {
	Compare compareCommand `cmd:"" default:"withargs" help:"Run every system and print the table."`
	Growth  scalingCommand `cmd:"" help:"Measure throughput, latency and memory while one dimension grows; write tables and charts."`
	Run     runCommand     `cmd:"" help:"Run one system once."`
	Work    workCommand    `cmd:"" help:"Run the worker process of a system."`
	Plain   plainCommand   `cmd:"" help:"Answer the commands of orchestrator bench with amqp091-go alone."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed := kong.Parse(&commands{}, kong.Name("bench"), kong.BindTo(ctx, (*context.Context)(nil)))
	parsed.FatalIfErrorf(parsed.Run())
}

func entry(name string) (system.Entry, error) {
	all := entries()
	i := slices.IndexFunc(all, func(e system.Entry) bool { return e.Name == name })
	if i < 0 {
		return system.Entry{}, fmt.Errorf("unknown system %q", name)
	}
	return all[i], nil
}
