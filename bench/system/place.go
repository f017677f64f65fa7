package system

import (
	"os"
)

// Place is where a system runs: an empty database, and a broker with a prefix for all names.
type Place struct {
	DatabaseURL string `env:"DATABASE_URL" required:"" help:"Postgres."`
	AMQPURL     string `env:"AMQP_URL" required:"" help:"RabbitMQ."`
	Prefix      string `env:"AMQP_PREFIX" default:"bench" help:"Prefix of all names on RabbitMQ."`
}

// Environment returns the environment variables of a process that works there.
func (p Place) Environment() []string {
	return append(os.Environ(), "DATABASE_URL="+p.DatabaseURL, "AMQP_URL="+p.AMQPURL, "AMQP_PREFIX="+p.Prefix)
}

// Commands returns the name of a worker's queue.
func (p Place) Commands(queue string) string { return p.Prefix + ".commands." + queue }

// Replies returns the name of the reply queue.
func (p Place) Replies() string { return p.Prefix + ".replies" }
