// Program bench lets the saga orchestrator and others do the same work on the same machine, in turns.
//
//	bench compare            every contender's turns, and the table
//	bench growth             how ours behaves when something grows, with pictures
//	bench turn naive         one turn of one contender, in this process
//	bench work naive         a contender's worker process
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/saga-orchestrator/orchestrator/bench/contender"
	"github.com/saga-orchestrator/orchestrator/bench/dbos"
	"github.com/saga-orchestrator/orchestrator/bench/naive"
	"github.com/saga-orchestrator/orchestrator/bench/river"
	"github.com/saga-orchestrator/orchestrator/bench/roofline"
)

// entries are the contenders that run in this program. The orchestrator itself has a program of its own.
func entries() []contender.Entry {
	return []contender.Entry{naive.Entry(), dbos.Entry(), river.Entry(), roofline.Entry()}
}

type commands struct {
	Compare compareCommand `cmd:"" default:"withargs" help:"Every contender's turns, and the table."`
	Growth  growthCommand  `cmd:"" help:"Throughput, latency and memory when something grows: tables and pictures."`
	Turn    turnCommand    `cmd:"" help:"One turn of one contender."`
	Work    workCommand    `cmd:"" help:"The worker process of a contender."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed := kong.Parse(&commands{}, kong.Name("bench"), kong.BindTo(ctx, (*context.Context)(nil)))
	parsed.FatalIfErrorf(parsed.Run())
}

func entry(name string) (contender.Entry, error) {
	all := entries()
	i := slices.IndexFunc(all, func(e contender.Entry) bool { return e.Name == name })
	if i < 0 {
		return contender.Entry{}, fmt.Errorf("no contender %q", name)
	}
	return all[i], nil
}
