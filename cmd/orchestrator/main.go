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

	"github.com/saga-orchestrator/orchestrator/store"
)

// version is the version of the program. The linker sets it in releases.
var version = "dev"

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is the command line.
type commands struct {
	Dev         devCommand         `cmd:"" help:"Serve from one process, without Postgres and RabbitMQ."`
	Serve       serveCommand       `cmd:"" help:"Serve with Postgres and RabbitMQ."`
	Migrate     migrateCommand     `cmd:"" help:"Manage the schema of the database."`
	Definitions definitionsCommand `cmd:"" help:"Register, show and check definitions."`
	Sagas       sagasCommand       `cmd:"" help:"Start, inspect and repair sagas."`
	Stuck       stuckCommand       `cmd:"" help:"List sagas that need an operator, with the reason and the actions that apply."`
	Actions     actionsCommand     `cmd:"" help:"Show and control actions on many sagas or dead letters."`
	Queues      queuesCommand      `cmd:"" help:"List worker queues; pause, cap or throttle them."`
	DeadLetters deadLettersCommand `cmd:"" help:"Show, redrive and discard messages that could not be processed."`
	Webhooks    webhooksCommand    `cmd:"" help:"Send lifecycle events to HTTP addresses."`
	Archive     archiveCommand     `cmd:"" help:"Find sagas that were deleted by their age or number."`
	Audit       auditCommand       `cmd:"" help:"List and verify the log of the changes that came by the API."`
	Doctor      doctorCommand      `cmd:"" help:"Check the database, the broker and the queues, and report what to do. It leaves nothing behind."`
	Worker      workerCommand      `cmd:"" help:"Check workers."`
	Keys        keysCommand        `cmd:"" help:"Create, list and revoke API keys."`
	Bench       benchCommand       `cmd:"" help:"Measure the throughput, latency and cost of sagas."`
	BenchWorker benchWorkerCommand `cmd:"" hidden:"" help:"Run the workers of bench, which succeed without doing anything."`
	Completion  completionCommand  `cmd:"" help:"Write the script that completes commands and flags in bash, zsh or fish."`
	Version     versionCommand     `cmd:"" help:"Show the version."`
}

// streams holds the standard streams of a command.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// usageError is a fault of the command line that the parser cannot detect.
type usageError struct{ error }

func usage(format string, arguments ...any) error {
	return usageError{fmt.Errorf(format, arguments...)}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &streams{in: input{ctx, os.Stdin}, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, arguments []string, out *streams) int {
	helped := false // after --help the parser continues and would report missing arguments
	parser, err := kong.New(&commands{},
		kong.Name("orchestrator"), kong.Description("A saga orchestrator. To try it: `orchestrator dev --demo`."),
		kong.Writers(out.out, out.err), kong.Exit(func(int) { helped = true }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(out), kong.PostBuild(ignoreEmptyVariables),
	)
	if err != nil {
		fmt.Fprintln(out.err, "orchestrator:", err)
		return exitFailed
	}
	err = refuseEmpty(arguments)
	var parsed *kong.Context
	if err == nil {
		parsed, err = parser.Parse(joinNegative(arguments))
	}
	if err == nil && !helped {
		err = refuseRepeated(parsed)
	}
	if helped {
		return exitDone
	}
	if err != nil {
		fmt.Fprintf(out.err, "orchestrator: %s\nSee `orchestrator --help`.\n", plain(redact(clearer(err).Error())))
		return exitUsage
	}
	err = parsed.Run()
	if err == nil {
		return exitDone
	}
	code := exitFailed
	if _, wrong := errors.AsType[usageError](err); wrong || errors.Is(err, store.ErrDatabaseURL) {
		code, err = exitUsage, byFlag(err)
	}
	fmt.Fprintln(out.err, "orchestrator:", plain(redact(err.Error()))) // the error may contain text of workers
	return code
}

type versionCommand struct{}

// Run shows the version.
func (versionCommand) Run(out *streams) error {
	_, err := fmt.Fprintln(out.out, version)
	return err
}
