package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/store"
)

// serverFlags are those of serve and dev alike.
type serverFlags struct {
	Listen       string       `default:"127.0.0.1:8080" env:"LISTEN_ADDR" help:"Address of the REST API."`
	Insecure     bool         `env:"ORCHESTRATOR_INSECURE" help:"Allow --auth none on an address that others can reach."`
	OverdueAfter overdueAfter `default:"15m" env:"ORCHESTRATOR_OVERDUE_AFTER" help:"How long without progress until a saga asks for attention; negative: never."`
	MaxDepth     queueDepth   `name:"max-queue-depth" env:"ORCHESTRATOR_MAX_QUEUE_DEPTH" help:"Not ready (/readyz) while a worker queue holds more commands; 0: no limit."`
	LogFormat    string       `default:"auto" enum:"auto,text,json" env:"ORCHESTRATOR_LOG_FORMAT" help:"auto: text on a terminal, else json."`
	LogLevel     string       `default:"info" enum:"debug,info,warn,error" env:"ORCHESTRATOR_LOG_LEVEL" help:"Least level that is logged."`
}

func (f serverFlags) logger(out *streams) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // kong has checked the word
	terminal := isTerminal(out.err)
	if f.LogFormat == "text" || f.LogFormat == "auto" && terminal {
		return slog.New(tint.NewTextHandler(out.err, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !terminal, ReplaceAttr: discreetAttribute}))
	}
	return slog.New(slog.NewJSONHandler(out.err, &slog.HandlerOptions{Level: level, ReplaceAttr: discreetAttribute}))
}

// serveCommand is `orchestrator serve`: for real work, on Postgres and RabbitMQ.
type serveCommand struct {
	DatabaseURL string `required:"" env:"DATABASE_URL" help:"Postgres that keeps the sagas."`
	AMQPURL     string `required:"" name:"amqp-url" env:"AMQP_URL" help:"RabbitMQ that brings commands to workers."`
	AMQPPrefix  string `name:"amqp-prefix" default:"saga" env:"AMQP_PREFIX" help:"Prefix of all names on RabbitMQ."`
	QueueType   string `default:"quorum" enum:"quorum,classic" env:"ORCHESTRATOR_QUEUE_TYPE" help:"Kind of the queues that are declared."`
	Auth        string `default:"keys" enum:"keys,none" env:"ORCHESTRATOR_AUTH" help:"Who may call: holders of keys, or everyone."`
	Migrate     bool   `env:"ORCHESTRATOR_MIGRATE" help:"Bring the database schema up to date first."`
	serverFlags `embed:""`
}

// Run serves until it is told to end.
func (c *serveCommand) Run(ctx context.Context, out *streams) error {
	if c.DatabaseURL == "" || c.AMQPURL == "" { // without them the sagas would live in memory
		return usage("--database-url and --amqp-url must not be empty")
	}
	return serve(ctx, server.Config{
		DatabaseURL: c.DatabaseURL, AMQPURL: c.AMQPURL, AMQPPrefix: c.AMQPPrefix, QueueType: c.QueueType,
		Migrate: c.Migrate, Listen: c.Listen, Auth: c.Auth, Insecure: c.Insecure, OverdueAfter: time.Duration(c.OverdueAfter),
		MaxQueueDepth: int(c.MaxDepth), Version: version, Logger: c.logger(out),
	}, func(url string) { fmt.Fprintf(out.out, "serving %s\n", url) })
}

// serve opens an orchestrator, says where it is, and runs it until ctx ends.
func serve(ctx context.Context, config server.Config, announce func(url string)) error {
	if err := api.CheckExposure(api.Auth(config.Auth), config.Listen, config.Insecure); err != nil {
		return usageError{err}
	}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	orchestrator, err := server.Open(ctx, config)
	if errors.Is(err, store.ErrSchemaBehind) {
		return fmt.Errorf("%w, or serve with --migrate", err)
	}
	if err != nil {
		return err
	}
	tune()
	announce(orchestrator.URL())
	return orchestrator.Run(ctx)
}
