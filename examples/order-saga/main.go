// Command order-saga is what a team's own project looks like: a saga definition in Go, and the three services whose
// work it puts together. Alone it starts an orchestrator in its own process and shows three orders: one that goes
// through, one whose card is declined, and one that gets stuck and is repaired over the REST API.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "order-saga:", err)
		os.Exit(1)
	}
}

// options are the example's flags.
type options struct {
	databaseURL string
	amqpURL     string
	amqpPrefix  string
	server      string // an orchestrator that runs already
	key         string
	listen      string
	state       string // a directory for everything that is kept without a database
	serve       bool
	only        string // the service of a worker process
	trouble     trouble
}

func run(ctx context.Context, arguments []string, out io.Writer) error {
	if len(arguments) > 0 && arguments[0] == "worker" {
		o, err := parse("order-saga worker", arguments[1:], out)
		if err != nil {
			return err
		}
		return runWorker(ctx, o, out)
	}
	o, err := parse("order-saga", arguments, out)
	if err != nil {
		return err
	}
	if o.server != "" {
		return showAgainst(ctx, o, out)
	}
	return runAll(ctx, o, out)
}

func parse(name string, arguments []string, out io.Writer) (options, error) {
	var o options
	var slow, down, crash string
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.databaseURL, "database-url", os.Getenv("DATABASE_URL"), "Postgres, for the orchestrator and the services")
	flags.StringVar(&o.amqpURL, "amqp-url", os.Getenv("AMQP_URL"), "RabbitMQ")
	flags.StringVar(&o.amqpPrefix, "amqp-prefix", or(os.Getenv("AMQP_PREFIX"), "saga"), "prefix of all names on RabbitMQ")
	flags.StringVar(&o.server, "server", os.Getenv("ORCHESTRATOR_URL"), "show the three orders on an orchestrator that runs already, with its workers elsewhere")
	flags.StringVar(&o.key, "key", os.Getenv("ORCHESTRATOR_KEY"), "key for that orchestrator")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the embedded orchestrator's REST API")
	flags.StringVar(&o.state, "state", "", "directory to keep the state in, embedded; default: a temporary one")
	flags.BoolVar(&o.serve, "serve", false, "stay up after the three orders")
	flags.StringVar(&o.only, "service", "", "worker: the service to run: orders, payments or inventory")
	flags.BoolVar(&o.trouble.decline, "decline", false, "trouble: every card is declined")
	flags.StringVar(&slow, "slow", "", "trouble: slow services, such as payments=2s")
	flags.StringVar(&down, "down", "", "trouble: services that are down, such as inventory,orders")
	flags.StringVar(&crash, "crash", "", "trouble: services that crash before they answer")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	var err error
	o.trouble.slow, err = parseSlow(slow)
	o.trouble.down, o.trouble.crash = setOf(down), setOf(crash)
	return o, err
}

func or(given, otherwise string) string {
	if given == "" {
		return otherwise
	}
	return given
}
