// Program bench lets the saga orchestrator and others do the same work on the same machine, in turns.
//
//	bench compare            every contender's turns, and the table
//	bench turn naive         one turn of one contender, in this process
//	bench work naive         a contender's worker process
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/saga-orchestrator/orchestrator/bench/contender"
	"github.com/saga-orchestrator/orchestrator/bench/dbos"
	"github.com/saga-orchestrator/orchestrator/bench/naive"
	"github.com/saga-orchestrator/orchestrator/bench/river"
	"github.com/saga-orchestrator/orchestrator/bench/roofline"
	"github.com/saga-orchestrator/orchestrator/bench/turn"
	"github.com/saga-orchestrator/orchestrator/internal/measure"
)

// entries are the contenders that run in this program. The orchestrator itself has a program of its own.
func entries() []contender.Entry {
	return []contender.Entry{naive.Entry(), dbos.Entry(), river.Entry(), roofline.Entry()}
}

type commands struct {
	Turn turnCommand `cmd:"" help:"One turn of one contender."`
	Work workCommand `cmd:"" help:"The worker process of a contender."`
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
	return printJSON(os.Stdout, report)
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

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
