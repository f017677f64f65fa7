package bench

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
)

// Options say what load is put on what. With Server it is that orchestrator; with Embedded one that is started for the
// run and needs nothing; else one that is started on DatabaseURL and AMQPURL.
type Options struct {
	Executable string // of orchestrator, for the processes of the run; required

	DatabaseURL string // started: where a database is made for the run. Given: the server's own, which is only looked at
	AMQPURL     string // started: where its queues are. Given: the server's own, where workers are started
	AMQPPrefix  string // of a given server, for the workers; default: saga
	Server      string // URL of a given server
	Key         string // for a given server; the role of an admin, which may register a definition
	Embedded    bool

	Replicas    int    // of a server that is started on DatabaseURL; default: 1
	QueueType   string // of that server: quorum (default) or classic
	Concurrency int    // commands that each of the three workers does at the same time; default: 64

	Scenario Scenario
	Load     loadtest.Load // its Begin and End are the bench's own

	Say func(line string) // tells a person what goes on; nil: nobody
}

// ErrNothingToLoad says that the options name no orchestrator.
var ErrNothingToLoad = errors.New("say what to load: --database-url and --amqp-url (an orchestrator is started there, with " +
	"a database and queues of its own), --embedded (one is started that needs neither), or --server (one that is there)")

// Validate says what can never work.
func (o Options) Validate() error {
	switch {
	case o.Server != "" && o.Embedded:
		return errors.New("--server and --embedded are two different orchestrators")
	case o.Server == "" && !o.Embedded && (o.DatabaseURL == "" || o.AMQPURL == ""):
		return ErrNothingToLoad
	case o.Replicas > 1 && (o.Server != "" || o.Embedded):
		return errors.New("--replicas is for an orchestrator that is started on Postgres and RabbitMQ")
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
			return errors.New("--database-url cannot be read: want postgres://user:password@host:port/database") // its own error may repeat the password
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
