// Program bench lets the saga orchestrator and others do the same work on the same machine, by turns.
//
//	bench compare            every system's runs, and the table
//	bench growth             how ours behaves when something grows, with pictures
//	bench run naive         one run of one system, in this process
//	bench work naive         a system's worker process
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

// entries are the systems that run in this program. The orchestrator itself has a program of its own.
func entries() []system.Entry {
	return []system.Entry{naive.Entry(), dbos.Entry(), river.Entry(), roofline.Entry()}
}

type commands struct {
	Compare compareCommand `cmd:"" default:"withargs" help:"Every system's runs, and the table."`
	Growth  scalingCommand `cmd:"" help:"Throughput, latency and memory when something grows: tables and pictures."`
	Run     runCommand     `cmd:"" help:"One run of one system."`
	Work    workCommand    `cmd:"" help:"The worker process of a system."`
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
		return system.Entry{}, fmt.Errorf("no system %q", name)
	}
	return all[i], nil
}
