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

// serverFlags holds the flags of serve and dev.
type serverFlags struct {
	Listen       string       `default:"127.0.0.1:8080" env:"LISTEN_ADDR" help:"Address of the REST API."`
	BasePath     string       `env:"ORCHESTRATOR_BASE_PATH" placeholder:"/PATH" help:"Path under which browsers and callers reach the server, such as /saga. A proxy may keep it or strip it."`
	TLS          tlsFlags     `embed:""`
	Insecure     bool         `env:"ORCHESTRATOR_INSECURE" help:"Allow --auth none on an address that other machines can reach."`
	OverdueAfter overdueAfter `default:"15m" env:"ORCHESTRATOR_OVERDUE_AFTER" help:"Time without progress after which a saga needs attention; negative: never."`
	Event        eventFlags   `embed:""`
	Retain       retainFlags  `embed:""`
	Log          auditFlags   `embed:""`
	KeyRate      keyRate      `default:"0" env:"ORCHESTRATOR_KEY_RATE" help:"Requests per second with one API key, on each replica; beyond it they are refused with 429. 0: no limit."`
	MaxDepth     queueDepth   `name:"max-queue-depth" env:"ORCHESTRATOR_MAX_QUEUE_DEPTH" help:"/readyz fails while a worker queue holds more commands; 0: no limit."`
	Health       healthFlags  `embed:""`
	LogFormat    string       `default:"auto" enum:"auto,text,json" env:"ORCHESTRATOR_LOG_FORMAT" help:"Format of the log. auto: text on a terminal, else json."`
	LogLevel     string       `default:"info" enum:"debug,info,warn,error" env:"ORCHESTRATOR_LOG_LEVEL" help:"Lowest level that is logged. SIGHUP switches to debug and back."`
}

// retainFlags are the flags of what is deleted when.
type retainFlags struct {
	RetainCompleted   retention         `default:"720h" env:"ORCHESTRATOR_RETAIN_COMPLETED" help:"Age at which completed sagas are deleted with their history, such as 720h or 30d; 0: they are kept. A definition may have a retention of its own."`
	RetainUndone      retention         `default:"2160h" env:"ORCHESTRATOR_RETAIN_UNDONE" help:"Age at which compensated and abandoned sagas, and bulk actions that are over, are deleted; 0: they are kept. Sagas that need attention stay."`
	RetainKeys        retention         `default:"720h" env:"ORCHESTRATOR_RETAIN_KEYS" help:"How long the idempotency key of a deleted saga stays after the saga's end; 0: it stays."`
	RetainDeadLetters retention         `default:"720h" env:"ORCHESTRATOR_RETAIN_DEAD_LETTERS" help:"Age at which dead letters are deleted; 0: they are kept. Beyond 100,000 the oldest are deleted in any case."`
	RetentionInterval retentionInterval `default:"1m" env:"ORCHESTRATOR_RETENTION_INTERVAL" help:"Time between two rounds of deletion, 1s to 24h."`
	ArchiveDir        string            `env:"ORCHESTRATOR_ARCHIVE_DIR" type:"path" placeholder:"DIR" help:"Directory in which each saga is written, with its history, before it is deleted."`
}

// apply sets the fields of the server's configuration.
func (f retainFlags) apply(config *server.Config) {
	config.RetainCompleted, config.RetainUndone = f.RetainCompleted.config(), f.RetainUndone.config()
	config.RetainKeys, config.RetainDeadLetters = f.RetainKeys.config(), f.RetainDeadLetters.config()
	config.RetentionInterval, config.ArchiveDir = time.Duration(f.RetentionInterval), f.ArchiveDir
}

// healthFlags are the flags of what makes a worker queue unhealthy.
type healthFlags struct {
	HealthInterval   healthInterval `default:"30s" env:"ORCHESTRATOR_HEALTH_INTERVAL,HEALTH_INTERVAL" help:"Time between two checks of the health of worker queues, 1s to 1h."`
	AlertDepth       queueDepth     `default:"1000" env:"ORCHESTRATOR_ALERT_DEPTH" help:"A worker queue is unhealthy while more messages wait for a worker."`
	AlertAge         alertAge       `default:"5m" env:"ORCHESTRATOR_ALERT_AGE" help:"A worker queue is unhealthy while its oldest command has been out for longer, from 1s."`
	AlertDeadLetters queueDepth     `default:"100" env:"ORCHESTRATOR_ALERT_DEAD_LETTERS" help:"A worker queue is unhealthy if more dead letters came of it in the last hour."`
}

// apply sets the fields of the server's configuration. Its limits are negative where the flags are 0.
func (f healthFlags) apply(config *server.Config) {
	limit := func(given queueDepth) int {
		if given == 0 {
			return -1
		}
		return int(given)
	}
	config.HealthConfig = server.HealthConfig{
		AlertDepth: limit(f.AlertDepth), AlertAge: time.Duration(f.AlertAge), AlertDeadLetters: limit(f.AlertDeadLetters),
		HealthInterval: time.Duration(f.HealthInterval),
	}
}

// logger returns the log of a server, and its level, which may change.
func (f serverFlags) logger(out *streams) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(f.LogLevel)) // kong has validated the level
	terminal := isTerminal(out.err)
	if f.LogFormat == "text" || f.LogFormat == "auto" && terminal {
		return slog.New(tint.NewTextHandler(out.err, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !terminal, ReplaceAttr: redactAttribute})), level
	}
	return slog.New(slog.NewJSONHandler(out.err, &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttribute})), level
}

// serveCommand is `orchestrator serve`: with Postgres and RabbitMQ.
type serveCommand struct {
	databaseFlags `embed:""`
	brokerFlags   `embed:""`
	AMQPPrefix    string `name:"amqp-prefix" default:"saga" env:"AMQP_PREFIX" help:"Prefix of all names on RabbitMQ."`
	QueueType     string `default:"quorum" enum:"quorum,classic" env:"ORCHESTRATOR_QUEUE_TYPE" help:"Type of the queues to declare."`
	Auth          string `default:"keys" enum:"keys,none" env:"ORCHESTRATOR_AUTH" help:"Authentication of callers: by API keys, or none."`
	sessionFlags  `embed:""`
	payloadFlags  `embed:""`
	OIDC          oidcFlags `embed:"" prefix:"oidc-"`
	Repliers      repliers  `env:"ORCHESTRATOR_REPLIERS" placeholder:"QUEUE=USER,USER;…" help:"Users of RabbitMQ whose replies to commands of a worker queue are taken, by their verified user_id; * stands for queues without a list of their own. Default: replies of every user are taken."`
	Migrate       bool      `env:"ORCHESTRATOR_MIGRATE" help:"Apply pending migrations first."`
	StartPoll     startPoll `default:"250ms" env:"ORCHESTRATOR_START_POLL,START_POLL" help:"Time between two looks for sagas started from SQL by saga_start, 10ms to 1m."`
	serverFlags   `embed:""`
}

// AfterApply reads secrets from files.
func (c *serveCommand) AfterApply() error {
	return readFiles(&c.databaseFlags, &c.brokerFlags, &c.sessionFlags, &c.payloadFlags, &c.OIDC, &c.Event)
}

// Run serves until a signal ends it.
func (c *serveCommand) Run(ctx context.Context, out *streams) error {
	if c.DatabaseURL == "" || c.AMQPURL == "" { // an empty URL would select the embedded store
		return usage("--database-url and --amqp-url must be set, or files that have them")
	}
	log, level := c.logger(out)
	defer followHangups(ctx, level, log)()
	config := server.Config{
		DatabaseURL: c.DatabaseURL, AMQPURL: c.AMQPURL, AMQPPrefix: c.AMQPPrefix, QueueType: c.QueueType,
		Migrate: c.Migrate, Listen: c.Listen, Auth: c.Auth, Insecure: c.Insecure, OverdueAfter: time.Duration(c.OverdueAfter),
		MaxQueueDepth: int(c.MaxDepth), Version: version, Logger: log, BasePath: c.BasePath, SessionKey: c.Sessions, PayloadKeys: c.keys, Repliers: c.Repliers,
		StartPoll: time.Duration(c.StartPoll),
	}
	c.OIDC.apply(&config)
	c.Retain.apply(&config)
	c.Log.apply(&config)
	config.KeyRate = int(c.KeyRate)
	c.Event.apply(&config)
	c.Health.apply(&config)
	c.TLS.apply(&config)
	return serve(ctx, config, func(s *server.Server) { fmt.Fprintf(out.out, "serving %s\n", s.URL()) })
}

// serve opens an orchestrator, announces its URL, and runs it until ctx ends.
func serve(ctx context.Context, config server.Config, announce func(*server.Server)) error {
	if err := api.CheckExposure(api.Auth(config.Auth), config.Listen, config.Insecure); err != nil {
		return usageError{err}
	}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	orchestrator, err := server.Open(ctx, config)
	if errors.Is(err, store.ErrSchemaBehind) {
		return fmt.Errorf("%w, or use serve --migrate", err)
	}
	if err != nil {
		return err
	}
	tune()
	announce(orchestrator)
	return orchestrator.Run(ctx)
}
