package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is that of the program; releases are linked with their own.
var version = "dev"

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is the command line.
type commands struct {
	Dev         devCommand         `cmd:"" help:"Everything in one process, nothing to install."`
	Serve       serveCommand       `cmd:"" help:"Serve with Postgres and RabbitMQ."`
	Migrate     migrateCommand     `cmd:"" help:"The schema of the database."`
	Definitions definitionsCommand `cmd:"" help:"Saga definitions: register, look at, check."`
	Sagas       sagasCommand       `cmd:"" help:"Sagas: start, look at, repair."`
	Stuck       stuckCommand       `cmd:"" help:"What needs a person: since when, why, and what can be done."`
	Queues      queuesCommand      `cmd:"" help:"Worker queues: depth, consumers, commands out."`
	DeadLetters deadLettersCommand `cmd:"" help:"Messages that could not be processed."`
	Keys        keysCommand        `cmd:"" help:"API keys: create, list, revoke."`
	Bench       benchCommand       `cmd:"" help:"Put a load on an orchestrator and see what it costs."`
	BenchWorker benchWorkerCommand `cmd:"" hidden:"" help:"The workers of bench: they do nothing, and say that it is done."`
	Version     versionCommand     `cmd:"" help:"Show the version."`
}

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// usageError is a fault of the command line that only the command itself can see.
type usageError struct{ error }

func usage(format string, arguments ...any) error {
	return usageError{fmt.Errorf(format, arguments...)}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, arguments []string, out *streams) int {
	helped := false // the parser goes on after --help, and would find fault with what is not there
	parser, err := kong.New(&commands{},
		kong.Name("orchestrator"), kong.Description("A saga orchestrator: see `orchestrator dev` for a first look."),
		kong.Writers(out.out, out.err), kong.Exit(func(int) { helped = true }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(out), kong.PostBuild(ignoreEmptyVariables),
	)
	if err != nil {
		fmt.Fprintln(out.err, "orchestrator:", err)
		return exitFailed
	}
	err = checkBlank(arguments)
	var parsed *kong.Context
	if err == nil {
		parsed, err = parser.Parse(arguments)
	}
	if helped {
		return exitDone
	}
	if err != nil {
		fmt.Fprintf(out.err, "orchestrator: %s\nSee `orchestrator --help`.\n", plain(discreet(err.Error())))
		return exitUsage
	}
	err = parsed.Run()
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(out.err, "orchestrator:", plain(discreet(err.Error()))) // it may hold what somebody else wrote
	if _, wrong := errors.AsType[usageError](err); wrong {
		return exitUsage
	}
	return exitFailed
}

type versionCommand struct{}

// Run shows the version.
func (versionCommand) Run(out *streams) error {
	_, err := fmt.Fprintln(out.out, version)
	return err
}
