package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// Config configures an orchestrator. With DatabaseURL and AMQPURL it stores its state in Postgres and sends commands over
// RabbitMQ. With neither it is embedded: its state is in memory or in File, and its workers run in this process.
type Config struct {
	DatabaseURL string
	AMQPURL     string
	AMQPPrefix  string // prefix of every name on the broker; default: saga
	QueueType   string // quorum or classic; default: quorum
	Migrate     bool   // apply pending migrations first

	File  string // embedded: the file for the state, synced at each commit; empty: memory only
	Fresh bool   // embedded: delete the state in the file first
	// SimulateWorkers makes an embedded orchestrator answer every command as a worker that succeeds.
	SimulateWorkers bool
	// Demo makes an embedded orchestrator register the definition order and start a saga every second for an hour. Some
	// sagas fail and some get stuck. Without SimulateWorkers the demo has workers of its own, and a viewer can make them fail.
	Demo bool

	Listen   string // address of the REST API; default: 127.0.0.1:8080; port 0: a free port
	BasePath string // path under which browsers and callers reach the server, such as /saga; default: the root
	// NoListener opens no address: the program serves Server.Handler by an HTTP server of its own. Listen and TLSCert must then
	// be empty.
	NoListener bool
	// TLSCert and TLSKey are files in PEM; with them the API and the page are served by TLS. TLSClientCA makes callers present a
	// certificate of one of its authorities. The files are read again when they change.
	TLSCert, TLSKey, TLSClientCA string

	Auth         string        // keys, or none for no authentication; default: keys
	Insecure     bool          // allow Auth none on an address that other machines can reach, also for Server.Handler
	OverdueAfter time.Duration // time without progress after which a saga needs attention; default: 15 min; negative: never
	// Events says which lifecycle events are published: saga (those of sagas themselves), all (those of steps, too) or none;
	// default: saga.
	Events string
	Kafka  KafkaConfig // publishes the events to Kafka, too
	// KeyRate is the number of requests per second with one key, on each replica; 0: no limit.
	KeyRate int
	// StartsUnaudited leaves starts of sagas out of the audit log.
	StartsUnaudited bool
	// RetainAudit is the age at which entries of the audit log are deleted; 0 or negative: they are kept.
	RetainAudit time.Duration
	// RetainDeadLetters is the age at which dead letters are deleted; default: 720h; negative: they are kept. Beyond 100,000
	// the oldest are deleted in any case.
	RetainDeadLetters time.Duration
	// RetainCompleted and RetainUndone are the ages at which completed sagas (default: 720h), and compensated and abandoned
	// ones (default: 2160h), are deleted with their histories; negative: they are kept. A definition may have a retention of
	// its own. Sagas that need attention stay.
	RetainCompleted time.Duration
	RetainUndone    time.Duration
	// RetainKeys is how long the idempotency key of a deleted saga stays after the saga's end; default: 720h; negative: it
	// stays.
	RetainKeys time.Duration
	// RetentionInterval is the time between two rounds of deletion; default: 1 min.
	RetentionInterval time.Duration
	// ArchiveDir is the directory in which each saga is written before it is deleted; empty: none.
	ArchiveDir string
	// SignIn signs operators in on the page by OpenID Connect; nil: they need API keys.
	SignIn *SignInConfig
	// Repliers lists, by worker queue, the users of RabbitMQ whose replies are taken; "*" stands for queues without a list of their
	// own. Others' become dead letters with the reason user_not_allowed. nil: replies of every user are taken.
	Repliers map[string][]string
	// PayloadKeys are lines of id:base64 of 32 bytes. The first key encrypts payloads in Postgres, the others decrypt what was
	// stored before; a first line none encrypts nothing. Empty: payloads are stored in clear.
	PayloadKeys string
	// MaxQueueDepth makes /readyz fail while a worker queue holds more messages. Default: 0, no limit.
	MaxQueueDepth int
	HealthConfig
	// StartPoll is the time between two looks for starts by SQL, 10 ms to 1 min; default: 250 ms. An embedded orchestrator has none.
	StartPoll time.Duration
	// SessionKey encrypts the page's session cookies. Replicas with the same key accept each other's sessions. Default:
	// random, so that a session ends with the process and holds for one replica.
	SessionKey string
	Version    string       // of the program, shown by the API
	Logger     *slog.Logger // nil: no logs
}

// The limits and the default of Config.StartPoll.
const (
	MinStartPoll     = 10 * time.Millisecond
	MaxStartPoll     = time.Minute
	DefaultStartPoll = 250 * time.Millisecond
)

// ErrHalfConfigured means that only one of DatabaseURL and AMQPURL is set.
var ErrHalfConfigured = errors.New("only one of the database URL and the AMQP URL is set: set both, or neither for an embedded orchestrator")

func (c Config) embedded() bool { return c.DatabaseURL == "" && c.AMQPURL == "" }

func (c Config) withDefaults() Config {
	if c.Listen == "" && !c.NoListener {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Auth == "" {
		c.Auth = string(api.AuthKeys)
	}
	c.Events = cmp.Or(c.Events, string(record.EventsSaga))
	if c.OverdueAfter == 0 {
		c.OverdueAfter = 15 * time.Minute
	}
	c.OverdueAfter = max(c.OverdueAfter, 0)
	const month = 720 * time.Hour
	c.RetainDeadLetters, c.RetainKeys = cmp.Or(c.RetainDeadLetters, month), cmp.Or(c.RetainKeys, month)
	c.RetainCompleted, c.RetainUndone = cmp.Or(c.RetainCompleted, month), cmp.Or(c.RetainUndone, 3*month)
	c.RetentionInterval = cmp.Or(c.RetentionInterval, time.Minute)
	c.HealthConfig = c.HealthConfig.withDefaults()
	c.StartPoll = cmp.Or(c.StartPoll, DefaultStartPoll)
	c.BasePath = strings.TrimRight(c.BasePath, "/")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate returns an error for a field that is outside its limits or contradicts another one. It applies no defaults and
// does not connect.
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
	if c.RetentionInterval < 0 {
		return errors.New("retention interval: must not be negative")
	}
	if c.StartPoll != 0 && (c.StartPoll < MinStartPoll || c.StartPoll > MaxStartPoll) {
		return fmt.Errorf("start poll: must be %s to %s", MinStartPoll, MaxStartPoll)
	}
	if err := c.checkHealth(); err != nil {
		return err
	}
	if err := c.checkListen(); err != nil {
		return err
	}
	if err := checkBasePath(c.BasePath); err != nil {
		return err
	}
	if err := c.checkEvents(); err != nil {
		return err
	}
	if err := c.checkTLS(); err != nil {
		return err
	}
	if n := len(c.SessionKey); n > 0 && n < minSessionKey {
		return fmt.Errorf("session key: must have at least %d bytes", minSessionKey)
	}
	if err := c.checkSignIn(); err != nil {
		return err
	}
	if err := checkRepliers(c.Repliers); err != nil {
		return err
	}
	if _, err := c.payloadKeys(); err != nil {
		return err
	}
	if c.embedded() {
		return nil
	}
	return c.broker().Validate()
}

// minSessionKey is the least length of a session key, in bytes. A short one could be guessed from a cookie.
const minSessionKey = 32

// checkBasePath checks the form of a base path.
func checkBasePath(path string) error {
	if path == "" || path == "/" {
		return nil
	}
	if !basePath(path) {
		return fmt.Errorf("base path %q: want a path such as /saga, of letters, digits, - . _ and /", path)
	}
	switch first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); first {
	case "ui", "v1", "docs", "openapi.json", "healthz", "readyz", "metrics":
		return fmt.Errorf("base path %q: the page and the API have addresses below /%s themselves, choose another", path, first)
	}
	return nil
}

func basePath(path string) bool {
	for segment := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/") {
		plain := func(c rune) bool {
			return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._", c)
		}
		if segment == "" || segment == "." || segment == ".." || strings.IndexFunc(segment, func(c rune) bool { return !plain(c) }) >= 0 {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

// checkListen checks the form of the listen address, and what contradicts NoListener.
func (c Config) checkListen() error {
	switch {
	case c.NoListener && c.Listen != "":
		return fmt.Errorf("listen address %q: must be empty with NoListener, the program's own HTTP server listens", c.Listen)
	case c.NoListener && c.TLSCert != "":
		return errors.New("TLS: must be empty with NoListener, the program's own HTTP server has the certificate")
	case c.NoListener:
		return nil
	}
	_, port, err := net.SplitHostPort(c.Listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("listen address %q: want host:port, with a port from 0 to 65535", c.Listen)
	}
	return nil
}

// localOnly reports whether there is no authentication, so that only this machine may reach the server.
func (c Config) localOnly() bool { return c.Auth == string(api.AuthNone) && !c.Insecure }

// localAddress returns the address that the API requires as the Host without authentication, unless Insecure is set.
func (c Config) localAddress() string {
	if !c.localOnly() {
		return ""
	}
	return cmp.Or(c.Listen, "localhost") // without a listener: localhost or a loopback address
}

func (c Config) broker() rabbit.Config {
	return rabbit.Config{
		URL: c.AMQPURL, Prefix: c.AMQPPrefix, QueueType: rabbit.QueueType(c.QueueType), Logger: c.Logger,
	}
}
