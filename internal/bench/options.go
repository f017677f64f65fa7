package bench

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
)

// Options define a load and the orchestrator under load. Server is the URL of an existing orchestrator. Embedded starts one
// that needs no servers. Otherwise one is started on DatabaseURL and AMQPURL.
type Options struct {
	Executable string // path of orchestrator, to start processes with; required

	DatabaseURL string // the Postgres to create a database on; with Server, its database, which is only measured
	AMQPURL     string // the RabbitMQ to create queues on; with Server, its broker, where the workers are started
	AMQPPrefix  string // the prefix of an existing orchestrator, for the workers; default: saga
	Server      string // URL of an existing orchestrator
	Key         string // API key of an admin for Server, to register the definition
	Embedded    bool

	Replicas    int    // processes of an orchestrator that is started on DatabaseURL; default: 1
	QueueType   string // of that orchestrator: quorum (default) or classic
	Concurrency int    // commands that each of the three workers handles at a time; default: 64

	// Worker is a program, with its arguments, that answers the commands instead of bench-worker. It finds AMQP_URL and
	// AMQP_PREFIX in its environment, and prints a line once it runs.
	Worker []string

	Scenario Scenario
	Load     loadtest.Load // Begin and End are overwritten

	Say func(line string) // called with progress messages; may be nil
}

// ErrNothingToLoad is returned for options that name no orchestrator.
var ErrNothingToLoad = errors.New("choose an orchestrator: --database-url and --amqp-url (start one there, with its own " +
	"database and queues), --embedded (start one that needs no servers), or --server (use an existing one)")

// Validate returns the first error in the options.
func (o Options) Validate() error {
	switch {
	case o.Server != "" && o.Embedded:
		return errors.New("--server and --embedded exclude each other: they name two different orchestrators")
	case o.Server == "" && !o.Embedded && (o.DatabaseURL == "" || o.AMQPURL == ""):
		return ErrNothingToLoad
	case o.Replicas > 1 && (o.Server != "" || o.Embedded):
		return errors.New("--replicas needs --database-url and --amqp-url, without --server or --embedded")
	}
	if err := o.Scenario.Validate(); err != nil {
		return err
	}
	if o.Server != "" {
		if u, err := url.Parse(o.Server); err != nil || u.Host == "" {
			return errors.New("--server: want http://host:port")
		}
	}
	if o.DatabaseURL != "" && !o.Embedded {
		if _, err := pgx.ParseConfig(o.DatabaseURL); err != nil {
			return errors.New("--database-url is invalid: want postgres://user:password@host:port/database") // the parser's error may contain the password
		}
	}
	if o.AMQPURL != "" && !o.Embedded {
		return rabbit.Config{URL: o.AMQPURL, Prefix: o.AMQPPrefix, QueueType: rabbit.QueueType(o.QueueType)}.Validate()
	}
	return nil
}

func (o Options) withDefaults() Options {
	o.Replicas = max(o.Replicas, 1)
	if o.Concurrency < 1 {
		o.Concurrency = 64
	}
	if o.AMQPPrefix == "" {
		o.AMQPPrefix = "saga"
	}
	if o.QueueType == "" {
		o.QueueType = string(rabbit.Quorum)
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	return o
}

func (o Options) say(format string, values ...any) { o.Say(fmt.Sprintf(format, values...)) }
