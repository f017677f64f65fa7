package system

import (
	"os"
)

// Place is where a system does its work: an empty database, and a broker with a prefix for its names.
type Place struct {
	DatabaseURL string `env:"DATABASE_URL" required:"" help:"Postgres."`
	AMQPURL     string `env:"AMQP_URL" required:"" help:"RabbitMQ."`
	Prefix      string `env:"AMQP_PREFIX" default:"bench" help:"Of the names at the broker."`
}

// Environment is the environment of a process that is to work there.
func (p Place) Environment() []string {
	return append(os.Environ(), "DATABASE_URL="+p.DatabaseURL, "AMQP_URL="+p.AMQPURL, "AMQP_PREFIX="+p.Prefix)
}

// Commands is the name of a worker's queue.
func (p Place) Commands(queue string) string { return p.Prefix + ".commands." + queue }

// Replies is the name of the queue of replies.
func (p Place) Replies() string { return p.Prefix + ".replies" }
