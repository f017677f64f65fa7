// Command order-saga is an example of a user's project: a typed saga in Go (order.go), whose steps belong to three services.
// Without arguments it starts an orchestrator in its own process and shows three orders: one that succeeds, one whose card
// is declined, and one that gets stuck and is repaired over the REST API. order_test.go tests the saga without either.
//
//	order-saga --database-url URL --amqp-url URL    use Postgres and RabbitMQ
//	order-saga worker --service payments            run one service in this process
//	order-saga --server http://127.0.0.1:8080       use an orchestrator and workers in other processes
//	order-saga --slow payments=2s --crash orders    inject faults
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
	server      string // URL of a running orchestrator
	key         string
	listen      string
	state       string // directory of the state without a database
	serve       bool
	only        string // service of a worker process
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
	flags.StringVar(&o.server, "server", os.Getenv("ORCHESTRATOR_URL"), "URL of a running orchestrator, with the workers in other processes")
	flags.StringVar(&o.key, "key", os.Getenv("ORCHESTRATOR_KEY"), "API key for that orchestrator")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the embedded orchestrator's REST API")
	flags.StringVar(&o.state, "state", "", "embedded: directory of the state; default: a temporary one")
	flags.BoolVar(&o.serve, "serve", false, "keep serving after the three orders")
	flags.StringVar(&o.only, "service", "", "worker: service to run: orders, payments or inventory")
	flags.BoolVar(&o.trouble.decline, "decline", false, "decline every card")
	flags.StringVar(&slow, "slow", "", "slow services, such as payments=2s")
	flags.StringVar(&down, "down", "", "services that are down, such as inventory,orders")
	flags.StringVar(&crash, "crash", "", "services that crash before they reply")
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
