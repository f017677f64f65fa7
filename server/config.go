package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
)

// Config says what an orchestrator works with. With DatabaseURL and AMQPURL it keeps its state in Postgres and sends
// commands over RabbitMQ; with neither it is embedded: state in memory or in File, workers in this process.
type Config struct {
	DatabaseURL string
	AMQPURL     string
	AMQPPrefix  string // of every name on the broker; default: saga
	QueueType   string // quorum or classic; default: quorum
	Migrate     bool   // bring the database schema up to date before anything else

	File  string // embedded: the file that the state is written through to; empty: memory only
	Fresh bool   // embedded: forget what the file holds
	// SimulateWorkers, embedded, answers every command as if its worker had succeeded.
	SimulateWorkers bool
	// Demo, with SimulateWorkers, defines the saga order and starts one every second, for an hour.
	Demo bool

	Listen       string        // address of the REST API; default: 127.0.0.1:8080, port 0: any free one
	Auth         string        // keys or none; default: keys
	Insecure     bool          // allow Auth none on an address that others can reach
	OverdueAfter time.Duration // how long without progress until a saga asks for attention; default: 15 m, negative: never
	// MaxQueueDepth makes /readyz fail while a worker queue holds more messages. 0: no limit.
	MaxQueueDepth int
	Version       string       // of the program
	Logger        *slog.Logger // nil: no log
}

// ErrHalfConfigured means that only one of DatabaseURL and AMQPURL was given.
var ErrHalfConfigured = errors.New("the database URL and the AMQP URL belong together: give both, or neither for embedded")

func (c Config) embedded() bool { return c.DatabaseURL == "" && c.AMQPURL == "" }

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Auth == "" {
		c.Auth = string(api.AuthKeys)
	}
	if c.OverdueAfter == 0 {
		c.OverdueAfter = 15 * time.Minute
	}
	c.OverdueAfter = max(c.OverdueAfter, 0)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports what can never work: what is out of its limits, or contradicts another field.
func (c Config) Validate() error {
	if (c.DatabaseURL == "") != (c.AMQPURL == "") {
		return ErrHalfConfigured
	}
	if c.Auth != string(api.AuthKeys) && c.Auth != string(api.AuthNone) {
		return fmt.Errorf("auth %q: want %q or %q", c.Auth, api.AuthKeys, api.AuthNone)
	}
	if c.MaxQueueDepth < 0 {
		return errors.New("maximum queue depth: must not be negative")
	}
	if err := checkListen(c.Listen); err != nil {
		return err
	}
	if c.embedded() {
		return nil
	}
	return c.broker().Validate()
}

// checkListen looks at an address before it is listened on, so that a slip is named as such.
func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("listen address %q: want host:port, with a port from 0 to 65535", address)
	}
	return nil
}

// localAddress is the address whose Host the API insists on: without authentication, unless Insecure.
func (c Config) localAddress() string {
	if c.Auth != string(api.AuthNone) || c.Insecure {
		return ""
	}
	return c.Listen
}

func (c Config) broker() rabbit.Config {
	return rabbit.Config{
		URL: c.AMQPURL, Prefix: c.AMQPPrefix, QueueType: rabbit.QueueType(c.QueueType), Logger: c.Logger,
	}
}
